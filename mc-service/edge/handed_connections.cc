#include "mc-service/edge/handed_connections.h"

#include <sys/socket.h>

#include <algorithm>

namespace mc::service {

void HandedConnections::Add(uint64_t id, int fd, const Endpoint& peer,
                            const Endpoint& real) {
  absl::MutexLock lock(&mutex_);
  handed_.emplace(
      peer.GrpcPeer(),
      Handed{id, fd, real == peer ? std::string() : real.GrpcPeer()});
}

void HandedConnections::Remove(uint64_t id, const Endpoint& peer) {
  absl::MutexLock lock(&mutex_);
  const auto [first, last] = handed_.equal_range(peer.GrpcPeer());
  const auto it = std::find_if(
      first, last, [id](const auto& each) { return each.second.id == id; });
  if (it != last) handed_.erase(it);
}

std::string HandedConnections::RealPeer(std::string_view peer) const {
  std::string name(peer);
  absl::MutexLock lock(&mutex_);
  const auto it = handed_.find(name);
  return it == handed_.end() || it->second.real_peer.empty()
             ? name
             : it->second.real_peer;
}

std::optional<std::string> HandedConnections::Cut(std::string_view peer) {
  const std::string name(peer);
  absl::MutexLock lock(&mutex_);
  const auto [first, last] = handed_.equal_range(name);
  if (first == last) return std::nullopt;
  for (auto it = first; it != last; ++it) {
    ::shutdown(it->second.fd, SHUT_RDWR);
  }
  return first->second.real_peer.empty() ? name : first->second.real_peer;
}

}  // namespace mc::service

#include "mc-service/edge/handed_connections.h"

#include <algorithm>

namespace mc::service {

void HandedConnections::Add(uint64_t id, const LentSocket& socket,
                            const Endpoint& peer, const Endpoint& real) {
  absl::MutexLock lock(&mutex_);
  handed_.emplace(
      peer.GrpcPeer(),
      Handed{id, socket, real == peer ? std::string() : real.GrpcPeer()});
}

void HandedConnections::Remove(uint64_t id, const Endpoint& peer) {
  absl::MutexLock lock(&mutex_);
  const auto [first, last] = handed_.equal_range(peer.GrpcPeer());
  const auto it = std::find_if(
      first, last, [id](const auto& each) { return each.second.id == id; });
  if (it != last) handed_.erase(it);
}

std::string HandedConnections::RealPeer(std::string_view peer) const {
  const std::string name(peer);
  absl::MutexLock lock(&mutex_);
  const auto [first, last] = handed_.equal_range(name);
  // One that is over may not be removed yet.
  const auto latest =
      std::max_element(first, last, [](const auto& one, const auto& other) {
        return one.second.id < other.second.id;
      });
  return latest == last || latest->second.real_peer.empty()
             ? name
             : latest->second.real_peer;
}

std::optional<std::string> HandedConnections::Cut(std::string_view peer) {
  const std::string name(peer);
  absl::MutexLock lock(&mutex_);
  const auto [first, last] = handed_.equal_range(name);
  if (first == last) return std::nullopt;
  for (auto it = first; it != last; ++it) it->second.socket.Shutdown();
  return first->second.real_peer.empty() ? name : first->second.real_peer;
}

}  // namespace mc::service

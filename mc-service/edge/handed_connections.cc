#include "mc-service/edge/handed_connections.h"

#include <sys/socket.h>

namespace mc::service {

void HandedConnections::Add(uint64_t id, int fd, const Endpoint& peer,
                            const Endpoint& real) {
  absl::MutexLock lock(&mutex_);
  handed_[peer.GrpcPeer()] = {id, fd,
                              real == peer ? std::string() : real.GrpcPeer()};
}

void HandedConnections::Remove(uint64_t id, const Endpoint& peer) {
  absl::MutexLock lock(&mutex_);
  const auto it = handed_.find(peer.GrpcPeer());
  if (it != handed_.end() && it->second.id == id) handed_.erase(it);
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
  const auto it = handed_.find(name);
  if (it == handed_.end()) return std::nullopt;
  ::shutdown(it->second.fd, SHUT_RDWR);
  return it->second.real_peer.empty() ? name : it->second.real_peer;
}

}  // namespace mc::service

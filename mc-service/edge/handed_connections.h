// The connections that gRPC was handed, by the name that it has for each.
#ifndef MC_SERVICE_EDGE_HANDED_CONNECTIONS_H_
#define MC_SERVICE_EDGE_HANDED_CONNECTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "mc-service/edge/address.h"
#include "mc-service/edge/lent_socket.h"

namespace mc::service {

// Names are as gRPC's context->peer() writes them. Thread-safe.
class HandedConnections {
 public:
  // `real` is where the client really is: not `peer` behind a balancer.
  void Add(uint64_t id, const LentSocket& socket, const Endpoint& peer,
           const Endpoint& real) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(uint64_t id, const Endpoint& peer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Where `peer` really is; `peer` itself where that is not known.
  std::string RealPeer(std::string_view peer) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the connection for both sides, and returns where its client really is;
  // absent: there is none. It stays here until Remove(). Of one port of a
  // client there are several where this machine has several addresses: all of
  // them end.
  std::optional<std::string> Cut(std::string_view peer)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Handed {
    uint64_t id = 0;
    LentSocket socket;
    // Where it is not the same.
    std::string real_peer;
  };

  mutable absl::Mutex mutex_;
  std::unordered_multimap<std::string, Handed> handed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_HANDED_CONNECTIONS_H_

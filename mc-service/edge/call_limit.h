// How often one cluster may call.
#ifndef MC_SERVICE_EDGE_CALL_LIMIT_H_
#define MC_SERVICE_EDGE_CALL_LIMIT_H_

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "common/retry/rate_limit.h"
#include "common/time/clock.h"

namespace mc {
class PeerIdentityCache;
}  // namespace mc

namespace mc::service {

// Counts the calls of each cluster by their cost in the policy table, over all
// of its connections. Thread-safe.
class CallLimit {
 public:
  struct Options {
    // Of one cluster; five seconds' worth may come at once.
    double calls_per_second = 20;
    const Clock* clock = nullptr;
    // Who calls, parsed once.
    PeerIdentityCache* identities = nullptr;
    // Called for each call that is refused, on the caller's thread.
    std::function<void()> on_refused;
    // Called besides where a cluster goes on calling many times faster than it
    // may, for each call: even refusals cost. `peer` names its connection, as
    // gRPC does. On gRPC's threads: it must not block.
    std::function<void(std::string_view cluster_id, std::string_view peer)>
        on_offender = nullptr;
  };

  explicit CallLimit(const Options& options);

  PeerIdentityCache* identities() const { return options_.identities; }

  // RESOURCE_EXHAUSTED (RATE_LIMITED) with the delay after which the call would
  // be let in. `cluster_id` is what the handshake proved: a name that somebody
  // only claims would take from the one who has it. It never blocks.
  absl::Status Take(std::string_view cluster_id, std::string_view peer,
                    std::string_view full_method);

  // Whether a call that begins may go on; asked before anything is done for it,
  // also for one that its client cancels at once. False where calls come so
  // fast that saying so to each in full costs too much.
  bool Begins(std::string_view cluster_id);

 private:
  const Options options_;
  RateLimit calls_;
  // Calls that were refused, and forgiven.
  RateLimit refusals_;
  // All that begin.
  RateLimit begun_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_CALL_LIMIT_H_

// A Lease, and where it is kept.
#ifndef MC_CLUSTER_AGENT_MASTERSHIP_LEASE_API_H_
#define MC_CLUSTER_AGENT_MASTERSHIP_LEASE_API_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc::agent {

// A Lease of Kubernetes (coordination.k8s.io/v1).
struct Lease {
  // Empty: nobody.
  std::string holder;
  // How long a holder that is not heard of keeps it; whole seconds.
  absl::Duration duration;
  // By the clock of the holder, which is compared with no other.
  absl::Time acquired_at = absl::UnixEpoch();
  absl::Time renewed_at = absl::UnixEpoch();
  // How often it went from one holder to another.
  int64_t transitions = 0;
  // The whole object in JSON as the API server gave it, with its resource
  // version and what others wrote into it; empty: there is none yet.
  std::string object;

  // Whether it says the same, whatever else the object says.
  friend bool operator==(const Lease& a, const Lease& b) {
    return a.holder == b.holder && a.duration == b.duration &&
           a.acquired_at == b.acquired_at && a.renewed_at == b.renewed_at &&
           a.transitions == b.transitions;
  }
};

// One Lease. The calls block, for a bounded time. Not thread-safe. Every error
// is one line that says what to do.
class LeaseApi {
 public:
  virtual ~LeaseApi() = default;

  // NOT_FOUND: there is none yet.
  virtual absl::StatusOr<Lease> Get() = 0;
  // ABORTED: somebody else has created it meanwhile.
  virtual absl::StatusOr<Lease> Create(const Lease& lease) = 0;
  // In place of the object that `lease` was made from. ABORTED: somebody has
  // written it meanwhile. NOT_FOUND: it was deleted.
  virtual absl::StatusOr<Lease> Update(const Lease& lease) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_MASTERSHIP_LEASE_API_H_

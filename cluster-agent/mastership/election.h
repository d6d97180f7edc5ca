// Who of several agents holds a Lease: the rules.
#ifndef MC_CLUSTER_AGENT_MASTERSHIP_ELECTION_H_
#define MC_CLUSTER_AGENT_MASTERSHIP_ELECTION_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster-agent/mastership/lease_api.h"
#include "common/time/clock.h"

namespace mc::agent {

// As Kubernetes' own components elect their leaders (client-go, package
// leaderelection): whoever writes its name into the Lease holds it, and the
// API server lets one write of each version succeed. A holder that does not
// renew it within its duration has lost it; that time is counted by our own
// clock, from when we saw the Lease change last: clocks of two machines are
// never compared. Not thread-safe.
class Election {
 public:
  struct Options {
    LeaseApi* api = nullptr;
    const Clock* clock = nullptr;
    // Of this agent, new at every start.
    std::string identity;
    absl::Duration lease_duration;
  };

  explicit Election(Options options) : options_(std::move(options)) {}

  // Takes the Lease where it may be taken, or renews it. OK: this agent holds
  // it now. FAILED_PRECONDITION: another one does. Else the error of the API,
  // which changes nothing.
  absl::Status Attempt();

  // The time since boot at which this agent began to write the Lease last, as
  // far as it knows that it still holds it. Others count from later.
  std::optional<absl::Duration> renewed_at() const { return renewed_at_; }

  // Who holds it, as far as it is known; empty: nobody.
  const std::string& holder() const { return seen_.holder; }

  // Gives it back, so that the next one need not wait. OK where it was not
  // held.
  absl::Status Release();

 private:
  absl::Status Write(const Lease& from);
  void See(const Lease& lease);

  const Options options_;
  std::optional<absl::Duration> renewed_at_;
  // As it was seen last, and when it was first seen like that.
  Lease seen_;
  absl::Duration seen_at_ = absl::InfiniteDuration();
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_MASTERSHIP_ELECTION_H_

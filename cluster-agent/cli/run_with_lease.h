// `cluster-agent run` where a Lease of Kubernetes says who is the master.
#ifndef MC_CLUSTER_AGENT_CLI_RUN_WITH_LEASE_H_
#define MC_CLUSTER_AGENT_CLI_RUN_WITH_LEASE_H_

#include <string>

#include "absl/status/status.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/lifecycle/lifecycle.h"
#include "common/time/clock.h"

namespace mc::agent {

// The exit code of an agent that is not the master, or not any more: whoever
// started it starts it again.
inline constexpr int kNotMaster = 10;

// Waits until this agent holds the Lease, without opening the state; then runs
// as the master until `stop`, and gives the Lease back. FAILED_PRECONDITION
// (NOT_MASTER): it was lost. Another agent may hold it from then on, so the
// process is ended with kNotMaster where the parts do not end in time.
absl::Status RunWithLease(CheckedConfiguration checked,
                          const std::string& instance_id, StopSignal& stop,
                          RealClock& clock);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_RUN_WITH_LEASE_H_

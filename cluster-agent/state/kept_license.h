// The files of a cluster's license, for commands that only look at them.
#ifndef MC_CLUSTER_AGENT_STATE_KEPT_LICENSE_H_
#define MC_CLUSTER_AGENT_STATE_KEPT_LICENSE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "missioncontrol/config/v1/agent_state.pb.h"

namespace mc::agent {

struct KeptLicense {
  std::string cluster_id;
  missioncontrol::config::v1::AgentRegistration registration;
  // Its signature was not looked at.
  missioncontrol::config::v1::AgentLicense license;
  std::optional<missioncontrol::config::v1::AgentContact> contact;
};

// From the state directory at `path`, while an agent may hold it. NOT_FOUND:
// no license was verified there yet; DATA_LOSS: a file is damaged.
absl::StatusOr<KeptLicense> ReadKeptLicense(const std::string& path);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_STATE_KEPT_LICENSE_H_

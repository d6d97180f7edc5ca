// cluster-agent license.
#ifndef MC_CLUSTER_AGENT_CLI_LICENSE_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_LICENSE_COMMANDS_H_

#include "absl/status/status.h"
#include "cluster-agent/cli/site_commands.h"
#include "common/license/simulation.h"

namespace mc::agent {

// What the license allows now.
absl::Status ShowLicense(const CommonArguments& common);

// The same at each change, a line each, until the agent stops (UNAVAILABLE) or
// the caller does.
absl::Status WatchLicense(const CommonArguments& common);

// What an outage would do, when: to the license that this cluster keeps,
// whether its agent runs or not, as its outage is now; or where a model is
// named, to any license.
absl::Status SimulateLicense(const CommonArguments& common,
                             const SimulationArguments& arguments);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_LICENSE_COMMANDS_H_

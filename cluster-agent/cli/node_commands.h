// The commands of a node that is not its site's master: run and join.
#ifndef MC_CLUSTER_AGENT_CLI_NODE_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_NODE_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "cluster-agent/cli/site_commands.h"

namespace mc::agent {

// Runs until SIGTERM or SIGINT, or until the node cannot go on without a
// person; the error then says what to do.
absl::Status RunNode(const std::string& config_file);

// Joins the site once, also again; prints which. `token_file`, where it is not
// empty, takes the place of the configuration's.
absl::Status JoinNode(const CommonArguments& common,
                      const std::string& token_file);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_NODE_COMMANDS_H_

// The commands with which the master's administrator looks after the nodes.
#ifndef MC_CLUSTER_AGENT_CLI_NODE_ADMIN_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_NODE_ADMIN_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "cluster-agent/cli/site_commands.h"

namespace mc::agent {

// Prints the token, a secret. `ttl` as in 90m or 24h.
absl::Status CreateJoinToken(const CommonArguments& common,
                             const std::string& ttl, int uses);
absl::Status ListNodes(const CommonArguments& common, int page_size,
                       const std::string& page_token);
absl::Status RemoveNode(const CommonArguments& common,
                        const std::string& node_id);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_NODE_ADMIN_COMMANDS_H_

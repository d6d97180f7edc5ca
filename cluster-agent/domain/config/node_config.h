// What the configuration of a node says, beside what every agent's does.
#ifndef MC_CLUSTER_AGENT_DOMAIN_CONFIG_NODE_CONFIG_H_
#define MC_CLUSTER_AGENT_DOMAIN_CONFIG_NODE_CONFIG_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

// Whether it is the configuration of `cluster-agent node`.
bool IsNode(const missioncontrol::config::v1::AgentConfig& values);

// Adds a line for each problem: missing addresses, and keys that are the
// master's alone, which a node would have to ignore.
void CheckNode(const missioncontrol::config::v1::AgentConfig& values,
               std::vector<std::string>& problems);

// The node ID that follows from a machine ID: a UUID that tells nothing of it
// (machine-id(5)), and that no other application derives.
std::string NodeIdOf(std::string_view machine_id);

// From the file. INVALID_ARGUMENT: it holds no machine ID; else the error of
// reading it.
absl::StatusOr<std::string> ReadMachineNodeId(const std::string& file);

// Where a node finds its join token. A secret.
struct JoinTokenSource {
  // The value of MC_JOIN_TOKEN, which takes the file's place.
  std::string environment;
  std::string file;

  bool empty() const { return environment.empty() && file.empty(); }
  // INVALID_ARGUMENT: what is there is no join token.
  absl::StatusOr<std::string> Read() const;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_CONFIG_NODE_CONFIG_H_

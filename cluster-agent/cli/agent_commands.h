// The commands that are the agent themselves: run, install, register.
#ifndef MC_CLUSTER_AGENT_CLI_AGENT_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_AGENT_COMMANDS_H_

#include <string>

#include "absl/status/status.h"

namespace mc::agent {

// The value of MC_JOIN_TOKEN; empty: not set. A secret.
std::string EnvironmentJoinToken();
// The same of MC_ENROLLMENT_TOKEN.
std::string EnvironmentEnrollmentToken();

// Runs until SIGTERM or SIGINT.
absl::Status RunAgent(const std::string& config_file);

// One call of Install or Register; prints what was answered, and keeps it.
// Works while the agent runs only for Install, which then keeps nothing: the
// agent that runs does so itself.
absl::Status InstallOnce(const std::string& config_file, bool json);
absl::Status RegisterOnce(const std::string& config_file, bool json);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_AGENT_COMMANDS_H_

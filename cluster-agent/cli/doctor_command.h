// `cluster-agent doctor` on the command line.
#ifndef MC_CLUSTER_AGENT_CLI_DOCTOR_COMMAND_H_
#define MC_CLUSTER_AGENT_CLI_DOCTOR_COMMAND_H_

#include "absl/status/status.h"
#include "cluster-agent/cli/site_commands.h"

namespace mc::agent {

// When the worst is a warning.
inline constexpr int kWarningExitCode = 11;

// Prints each check; the error is about printing. `exit_code` is set by the
// worst: 0, kWarningExitCode, or 1.
absl::Status RunDoctor(const CommonArguments& common, int& exit_code);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_DOCTOR_COMMAND_H_

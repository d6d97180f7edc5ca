// mc-service keys, and mc-service license.
#ifndef MC_SERVICE_CLI_KEY_COMMANDS_H_
#define MC_SERVICE_CLI_KEY_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace mc::service {

// Each adds its commands, and sets `run` to the one that was given. `run`
// outlives the parsing.
void AddKeyCommands(CLI::App& app, std::function<absl::Status()>& run);
void AddLicenseCommands(CLI::App& app, std::function<absl::Status()>& run);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_KEY_COMMANDS_H_

// `mc-service ca`: the authorities behind the certificates.
#ifndef MC_SERVICE_CLI_CA_COMMANDS_H_
#define MC_SERVICE_CLI_CA_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace mc::service {

// When one of the commands was given, `run` becomes what it does.
void AddCaCommands(CLI::App& app, std::function<absl::Status()>& run);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_CA_COMMANDS_H_

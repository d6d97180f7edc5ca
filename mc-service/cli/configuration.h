// The service's configuration with every default filled in.
#ifndef MC_SERVICE_CLI_CONFIGURATION_H_
#define MC_SERVICE_CLI_CONFIGURATION_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/cli/state_layout.h"
#include "missioncontrol/config/v1/service.pb.h"

namespace mc::service {

namespace config = missioncontrol::config::v1;

struct Configuration {
  // As it was named.
  std::string file;
  // Every field has a value; paths are absolute or relative to the working
  // directory.
  config::ServiceConfig values;

  StateLayout state() const { return StateLayout(values.state_directory()); }
};

// INVALID_ARGUMENT for what cannot be read as a configuration: unknown keys,
// wrong types. Values are not judged; see checks.h.
absl::StatusOr<Configuration> LoadConfiguration(const std::string& file);

// Fills in what is absent. `directory` is the configuration file's own.
void ApplyDefaults(std::string_view directory, config::ServiceConfig& values);

// A host and a port as in "127.0.0.1:8443" or "[::1]:8443".
struct HostPort {
  std::string host;
  int port = 0;
};
// INVALID_ARGUMENT where it is not of that form, or the port over 65535.
absl::StatusOr<HostPort> ParseHostPort(std::string_view address);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_CONFIGURATION_H_

// `mc-service enroll-front` and what belongs to it.
#ifndef MC_SERVICE_CLI_FRONT_COMMAND_H_
#define MC_SERVICE_CLI_FRONT_COMMAND_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mc-service/cli/configuration.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mc::service {

// Where the front's figures and probes are unless it is told otherwise.
inline constexpr char kFrontMetrics[] = "127.0.0.1:9465";

struct FrontOptions {
  std::string config = "mc-service.yaml";
  // In the place of the configuration's; both or neither.
  std::string certificate_file;
  std::string key_file;
  std::string metrics = kFrontMetrics;
  // Where the ports are told while it runs; empty: nowhere.
  std::string ports_file;
};

// Adds the subcommand with its options.
CLI::App* AddFrontCommand(CLI::App& app, FrontOptions& options);

// Runs the front until SIGTERM or SIGINT, then drains it. To be called before
// any thread starts.
absl::Status RunFront(const FrontOptions& options);

struct FrontFilesOptions {
  std::string config = "mc-service.yaml";
  std::string directory;
};

// Adds the subcommand with its options.
CLI::App* AddFrontFilesCommand(CLI::App& app, FrontFilesOptions& options);

// Copies the certificate and key of the enrollment listener to tls.crt and
// tls.key of the directory: all that the front needs of the state directory.
absl::Status CopyFrontFiles(const FrontFilesOptions& options);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_FRONT_COMMAND_H_

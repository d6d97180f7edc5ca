// `mc-service run`.
#ifndef MC_SERVICE_CLI_RUN_H_
#define MC_SERVICE_CLI_RUN_H_

#include "absl/status/status.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

// Runs the service until SIGTERM or SIGINT, then drains it. To be called before
// any thread starts.
absl::Status Run(const Configuration& configuration);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_RUN_H_

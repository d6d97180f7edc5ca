// `mc-service healthcheck`.
#ifndef MC_SERVICE_CLI_HEALTHCHECK_H_
#define MC_SERVICE_CLI_HEALTHCHECK_H_

#include <string>

#include "absl/status/status.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

// OK when the service of this configuration answers that it is ready: its
// listeners serve and its store works. Else UNAVAILABLE.
absl::Status Healthcheck(const Configuration& configuration);

// The same of the enrollment front, whose figures are at host:port `metrics`:
// it serves, and is connected with the service.
absl::Status FrontHealthcheck(const std::string& metrics);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_HEALTHCHECK_H_

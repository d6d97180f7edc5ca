// `mc-service healthcheck`.
#ifndef MC_SERVICE_CLI_HEALTHCHECK_H_
#define MC_SERVICE_CLI_HEALTHCHECK_H_

#include "absl/status/status.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

// OK when the service of this configuration answers that it is ready: its
// listeners serve and its store works. Else UNAVAILABLE.
absl::Status Healthcheck(const Configuration& configuration);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_HEALTHCHECK_H_

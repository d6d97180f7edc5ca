// Settings and certificates that work and are weak.
#ifndef MC_SERVICE_CLI_WEAK_SETTINGS_H_
#define MC_SERVICE_CLI_WEAK_SETTINGS_H_

#include <vector>

#include "mc-service/cli/checks.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

// Adds a warning for each, which says what to do. What cannot be read is left
// to the other checks.
void CheckWeakSettings(const Configuration& configuration,
                       std::vector<Problem>& problems);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_WEAK_SETTINGS_H_

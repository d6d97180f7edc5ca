// Checks of the state directory, the keys and the certificates.
#ifndef MC_SERVICE_CLI_FILE_CHECKS_H_
#define MC_SERVICE_CLI_FILE_CHECKS_H_

#include <vector>

#include "absl/time/time.h"
#include "mc-service/cli/checks.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

// Adds what is wrong with the files that the configuration names: missing,
// unreadable, open to others, not a pair, not (or no longer) valid.
void CheckFiles(const Configuration& configuration, absl::Time now,
                std::vector<Problem>& problems);

// The same for the enrollment front. A warning where it can read what it has no
// need of: the store or a key of a CA.
void CheckFrontFiles(const Configuration& configuration, absl::Time now,
                     std::vector<Problem>& problems);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_FILE_CHECKS_H_

// What is wrong with a configuration and with the files that it names.
#ifndef MC_SERVICE_CLI_CHECKS_H_
#define MC_SERVICE_CLI_CHECKS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/cli/configuration.h"

namespace mc::service {

struct Problem {
  enum class Severity { kWarning, kError };

  Severity severity = Severity::kError;
  // The configuration key or the file that it is about.
  std::string where;
  // One sentence that says what to do.
  std::string message;
};

// One line: where, and what to do.
std::string Describe(const Problem& problem);

// Every problem, in the order of the configuration file, then of the files.
// Weak settings are warnings.
std::vector<Problem> CheckConfiguration(const Configuration& configuration,
                                        absl::Time now);

// The same for the enrollment front, which reads the listener's certificate and
// nothing else of the state directory.
std::vector<Problem> CheckFront(const Configuration& configuration,
                                absl::Time now);

// For people, one line each; "No problems" where there are none.
std::string ProblemsAsText(const std::vector<Problem>& problems);
// {"problems": [{"severity": "error", "where": ..., "message": ...}]}
std::string ProblemsAsJson(const std::vector<Problem>& problems);

// OK without errors; else INVALID_ARGUMENT with the first error in one
// line, and how many there are besides.
absl::Status FirstError(const std::vector<Problem>& problems);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_CHECKS_H_

// `license simulate` of both programs: what an outage would do, when.
#ifndef COMMON_LICENSE_SIMULATION_H_
#define COMMON_LICENSE_SIMULATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/license/outage.h"

namespace mc {

// As on the command line.
struct SimulationArguments {
  // How long the service cannot be reached.
  std::string offline = "20d";
  // classic, trial or subscription. Empty: another license is simulated.
  std::string model = {};
  // RFC 3339; empty: without end.
  std::string ends_at = {};
  // A duration; empty: the model's.
  std::string grace = {};
  bool overage = false;
};

// A duration as people write it: 20d, 1d12h, 90m, 30s. INVALID_ARGUMENT,
// naming the option, for others and for negative ones.
absl::StatusOr<absl::Duration> ParseDays(const std::string& option,
                                         const std::string& text);
// For instance 14d or 1d12h.
std::string DaysText(absl::Duration duration);

// An active license of this model. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<missioncontrol::v1::LicenseDocument> SimulatedLicense(
    const SimulationArguments& arguments);

// The timeline from `situation`, which has a license, for people or as JSON:
// {"license", "offline", "changes": [{"at", "after", "answer"}]}.
absl::StatusOr<std::string> Simulate(const LicenseSituation& situation,
                                     absl::Duration offline, bool json);

}  // namespace mc

#endif  // COMMON_LICENSE_SIMULATION_H_

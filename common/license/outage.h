// What a license allows, also while its vendor cannot be reached.
//
// Plain functions of values: they read no clock, and need no service. The
// rules: unreachable is not denied, an answer of the vendor acts at once, and
// only time that the vendor has vouched for can end a license.
#ifndef COMMON_LICENSE_OUTAGE_H_
#define COMMON_LICENSE_OUTAGE_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "missioncontrol/v1/license.pb.h"

namespace mc {

// What a model disallows overage after where its license says nothing: classic
// 14 days, trial 7. Absent for models that never disallow it.
std::optional<absl::Duration> DefaultGracePeriod(
    missioncontrol::v1::LicenseModel model);

// How long a cluster may be without contact before overage is disallowed; the
// subscription model never disallows it, whatever the document says.
std::optional<absl::Duration> GracePeriod(
    const missioncontrol::v1::LicenseDocument& license);

// Everything that an answer depends on.
struct LicenseSituation {
  // The last one that was verified; null: none yet. Not owned.
  const missioncontrol::v1::LicenseDocument* license = nullptr;
  // By this machine's clock. It moves deadlines, but no standing.
  absl::Time now = {};
  // The service's time: what it said at the last contact, and the time since
  // boot from then on. Absent after a reboot without contact.
  std::optional<absl::Time> anchored = {};
  // The service's time was at least this, known from before a reboot.
  absl::Time service_time_passed = absl::InfinitePast();
  // Since the last contact.
  absl::Duration offline = {};
  // The last attempt to reach the service got no answer.
  bool unreachable = false;
};

// The answer that holds in this situation. A deadline is over when it is
// reached.
missioncontrol::v1::LicenseAnswer JudgeLicense(
    const LicenseSituation& situation);

// The same situation, later, when nothing was heard of the service meanwhile.
LicenseSituation Later(LicenseSituation situation, absl::Duration duration);

// How long until the standing changes by itself; infinite: it does not.
absl::Duration UntilNextStanding(const LicenseSituation& situation);

struct LicenseChange {
  // Since the situation that the timeline began with.
  absl::Duration after;
  missioncontrol::v1::LicenseAnswer answer;
};

// What will happen if nothing is heard of the service: the answer now, and
// each change up to and with `horizon`.
std::vector<LicenseChange> Timeline(const LicenseSituation& situation,
                                    absl::Duration horizon);

}  // namespace mc

#endif  // COMMON_LICENSE_OUTAGE_H_

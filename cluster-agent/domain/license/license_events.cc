#include "cluster-agent/domain/license/license_events.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

struct Warning {
  absl::Duration before;
  v1::Severity severity;
};
constexpr Warning kWarnings[] = {
    {absl::Hours(30 * 24), v1::SEVERITY_INFO},
    {absl::Hours(7 * 24), v1::SEVERITY_WARNING},
    {absl::Hours(24), v1::SEVERITY_SEVERE},
};

// Until the end; infinite where there is none, or nobody knows the time.
absl::Duration Left(const LicenseSituation& situation) {
  if (situation.license == nullptr || !situation.license->has_ends_at() ||
      !situation.anchored.has_value()) {
    return absl::InfiniteDuration();
  }
  return FromProto(situation.license->ends_at())
             .value_or(absl::InfiniteFuture()) -
         *situation.anchored;
}

int WarningsDue(const LicenseSituation& situation) {
  const absl::Duration left = Left(situation);
  return static_cast<int>(
      std::count_if(std::begin(kWarnings), std::end(kWarnings),
                    [&](const Warning& step) { return left <= step.before; }));
}

v1::ClusterEvent Event(v1::ClusterEventType type, v1::Severity severity,
                       const v1::LicenseDocument& license) {
  v1::ClusterEvent event;
  event.set_type(type);
  event.set_severity(severity);
  event.mutable_license()->set_status(license.status());
  if (license.has_ends_at()) {
    *event.mutable_license()->mutable_ends_at() = license.ends_at();
  }
  return event;
}

// Of what happens once to a license with this end date.
std::string EventId(const v1::LicenseDocument& license, int step) {
  return Hex(Sha256(absl::StrCat(license.cluster_id(), "\n",
                                 license.license_id(), "\n",
                                 license.ends_at().seconds(), "\n", step)))
      .substr(0, 32);
}

}  // namespace

std::vector<v1::ClusterEvent> LicenseEvents(const LicenseSituation& situation,
                                            ToldLicense& told) {
  std::vector<v1::ClusterEvent> events;
  if (situation.license == nullptr) return events;
  const v1::LicenseDocument& license = *situation.license;
  const v1::LicenseStanding standing = JudgeLicense(situation).standing();
  if (license.ends_at().seconds() != told.ends_at.seconds()) told.warnings = 0;
  told.ends_at = license.ends_at();
  const int due = WarningsDue(situation);
  const bool over = standing == v1::LICENSE_STANDING_EXPIRED ||
                    standing == v1::LICENSE_STANDING_REVOKED;
  if (due > told.warnings && !over) {
    events.push_back(Event(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRING,
                           kWarnings[due - 1].severity, license));
    events.back().set_event_id(EventId(license, due));
  }
  told.warnings = std::max(told.warnings, due);
  if (standing != told.standing) {
    switch (standing) {
      case v1::LICENSE_STANDING_EXPIRED:
        events.push_back(Event(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED,
                               v1::SEVERITY_SEVERE, license));
        // What the vendor's answer would say.
        events.back().mutable_license()->set_status(v1::LICENSE_STATUS_EXPIRED);
        break;
      case v1::LICENSE_STANDING_SUSPENDED:
      case v1::LICENSE_STANDING_REVOKED:
        events.push_back(Event(v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE,
                               v1::SEVERITY_SEVERE, license));
        break;
      case v1::LICENSE_STANDING_OVERAGE_DISALLOWED:
        events.push_back(Event(v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE,
                               v1::SEVERITY_WARNING, license));
        break;
      default:
        break;
    }
  }
  told.standing = standing;
  return events;
}

absl::Duration UntilNextWarning(const LicenseSituation& situation) {
  const absl::Duration left = Left(situation);
  if (left == absl::InfiniteDuration()) return left;
  for (const Warning& step : kWarnings) {
    if (left > step.before) return left - step.before;
  }
  return absl::InfiniteDuration();
}

}  // namespace mc::agent

#include "common/license/outage.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

// Of a document that was verified: a time that is none is no time.
absl::Time TimeOr(bool present, const google::protobuf::Timestamp& time,
                  absl::Time otherwise) {
  if (!present) return otherwise;
  return FromProto(time).value_or(otherwise);
}

absl::Time EndOf(const v1::LicenseDocument& license) {
  return TimeOr(license.has_ends_at(), license.ends_at(),
                absl::InfiniteFuture());
}

absl::Time StartOf(const v1::LicenseDocument& license) {
  return TimeOr(license.has_starts_at(), license.starts_at(),
                absl::InfinitePast());
}

bool OverageAllowed(const v1::LicenseDocument& license) {
  return license.model() == v1::LICENSE_MODEL_SUBSCRIPTION ||
         license.limits().overage() == v1::OVERAGE_RULE_ALLOWED;
}

// What the vendor has decided, whatever the time; unspecified: nothing.
v1::LicenseStanding Decided(v1::LicenseStatus status) {
  switch (status) {
    case v1::LICENSE_STATUS_EXPIRED:
      return v1::LICENSE_STANDING_EXPIRED;
    case v1::LICENSE_STATUS_SUSPENDED:
      return v1::LICENSE_STANDING_SUSPENDED;
    case v1::LICENSE_STATUS_REVOKED:
      return v1::LICENSE_STANDING_REVOKED;
    default:
      return v1::LICENSE_STANDING_UNSPECIFIED;
  }
}

v1::LicenseStanding StandingOf(const LicenseSituation& situation) {
  if (situation.license == nullptr) return v1::LICENSE_STANDING_UNKNOWN;
  const v1::LicenseDocument& license = *situation.license;
  const v1::LicenseStanding decided = Decided(license.status());
  if (decided != v1::LICENSE_STANDING_UNSPECIFIED) return decided;
  const absl::Time known = situation.anchored.value_or(absl::InfinitePast());
  if (license.status() == v1::LICENSE_STATUS_NOT_STARTED &&
      known < StartOf(license)) {
    return v1::LICENSE_STANDING_NOT_STARTED;
  }
  const absl::Time end = EndOf(license);
  if (known >= end) return v1::LICENSE_STANDING_EXPIRED;
  const std::optional<absl::Duration> grace = GracePeriod(license);
  // The end was passed before a reboot; after it that is the worst.
  if (situation.service_time_passed >= end ||
      (grace.has_value() && situation.offline >= *grace)) {
    return v1::LICENSE_STANDING_OVERAGE_DISALLOWED;
  }
  return situation.unreachable && grace.has_value()
             ? v1::LICENSE_STANDING_GRACE
             : v1::LICENSE_STANDING_ACTIVE;
}

std::string ReasonOf(v1::LicenseStanding standing,
                     const LicenseSituation& situation) {
  const auto dated = [](const char* what, absl::Time time) {
    return absl::StrCat(what, " at ", FormatUtc(time));
  };
  switch (standing) {
    case v1::LICENSE_STANDING_ACTIVE:
      return situation.unreachable
                 ? "the vendor cannot be reached; this license goes on"
                 : "the license is active";
    case v1::LICENSE_STANDING_GRACE:
      return "the vendor cannot be reached; everything goes on until the "
             "grace period is over";
    case v1::LICENSE_STANDING_OVERAGE_DISALLOWED:
      return "the vendor was not reached within the grace period; monitoring "
             "within the quota goes on, restore the connection for more";
    case v1::LICENSE_STANDING_EXPIRED:
      return absl::StrCat(dated("the license ended", EndOf(*situation.license)),
                          "; ask the vendor to extend it");
    case v1::LICENSE_STANDING_SUSPENDED:
      return "the vendor has suspended the license; ask the vendor";
    case v1::LICENSE_STANDING_REVOKED:
      return "the vendor has revoked the license; ask the vendor";
    case v1::LICENSE_STANDING_NOT_STARTED:
      return dated("the license starts", StartOf(*situation.license));
    default:
      return "no license was verified yet; monitoring may go on";
  }
}

bool MonitoringAllowed(v1::LicenseStanding standing) {
  switch (standing) {
    case v1::LICENSE_STANDING_EXPIRED:
    case v1::LICENSE_STANDING_SUSPENDED:
    case v1::LICENSE_STANDING_REVOKED:
    case v1::LICENSE_STANDING_NOT_STARTED:
      return false;
    default:
      return true;
  }
}

bool MoreThanQuotaAllowed(v1::LicenseStanding standing,
                          const LicenseSituation& situation) {
  switch (standing) {
    case v1::LICENSE_STANDING_ACTIVE:
    case v1::LICENSE_STANDING_GRACE:
      return OverageAllowed(*situation.license);
    // No quota is known that could be exceeded.
    case v1::LICENSE_STANDING_UNKNOWN:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<absl::Duration> DefaultGracePeriod(v1::LicenseModel model) {
  switch (model) {
    case v1::LICENSE_MODEL_CLASSIC:
      return absl::Hours(14 * 24);
    case v1::LICENSE_MODEL_TRIAL:
      return absl::Hours(7 * 24);
    default:
      return std::nullopt;
  }
}

std::optional<absl::Duration> GracePeriod(const v1::LicenseDocument& license) {
  if (license.model() == v1::LICENSE_MODEL_SUBSCRIPTION) return std::nullopt;
  if (license.has_grace_period()) {
    const auto grace = FromProto(license.grace_period());
    if (grace.ok()) return *grace;
  }
  return DefaultGracePeriod(license.model());
}

LicenseSituation Later(LicenseSituation situation, absl::Duration duration) {
  situation.now += duration;
  if (situation.anchored.has_value()) *situation.anchored += duration;
  situation.offline += duration;
  return situation;
}

absl::Duration UntilNextStanding(const LicenseSituation& situation) {
  if (situation.license == nullptr) return absl::InfiniteDuration();
  const v1::LicenseDocument& license = *situation.license;
  std::vector<absl::Duration> edges;
  if (const auto grace = GracePeriod(license); grace.has_value()) {
    edges.push_back(*grace - situation.offline);
  }
  if (situation.anchored.has_value()) {
    edges.push_back(StartOf(license) - *situation.anchored);
    edges.push_back(EndOf(license) - *situation.anchored);
  }
  std::sort(edges.begin(), edges.end());
  const v1::LicenseStanding standing = StandingOf(situation);
  for (const absl::Duration edge : edges) {
    if (edge <= absl::ZeroDuration() || edge == absl::InfiniteDuration()) {
      continue;
    }
    if (StandingOf(Later(situation, edge)) != standing) return edge;
  }
  return absl::InfiniteDuration();
}

v1::LicenseAnswer JudgeLicense(const LicenseSituation& situation) {
  const v1::LicenseStanding standing = StandingOf(situation);
  v1::LicenseAnswer answer;
  answer.set_standing(standing);
  answer.set_monitoring_allowed(MonitoringAllowed(standing));
  answer.set_overage_allowed(MoreThanQuotaAllowed(standing, situation));
  answer.set_reason(ReasonOf(standing, situation));
  *answer.mutable_offline() = ToProto(situation.offline);
  const absl::Duration left = UntilNextStanding(situation);
  if (left != absl::InfiniteDuration()) {
    const LicenseSituation then = Later(situation, left);
    *answer.mutable_until() = ToProto(then.anchored.value_or(then.now));
    answer.set_next_standing(StandingOf(then));
  }
  return answer;
}

std::vector<LicenseChange> Timeline(const LicenseSituation& situation,
                                    absl::Duration horizon) {
  std::vector<LicenseChange> changes;
  absl::Duration after = absl::ZeroDuration();
  while (after <= horizon) {
    const LicenseSituation then = Later(situation, after);
    changes.push_back({after, JudgeLicense(then)});
    after += UntilNextStanding(then);
  }
  return changes;
}

}  // namespace mc

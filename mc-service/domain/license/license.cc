#include "mc-service/domain/license/license.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"
#include "common/crypto/license_key.h"
#include "common/license/outage.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::service {
namespace {

absl::Status NotUsable(v1::ErrorReason reason, std::string_view message) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, message);
}

// The day in `year` on which a license that was created on `created` is a
// whole number of years old.
absl::CivilDay Anniversary(absl::CivilDay created, absl::civil_year_t year) {
  const absl::CivilDay day(year, created.month(), created.day());
  // 29 February is normalized to 1 March in years without it.
  return day.month() == created.month() ? day : day - 1;
}

absl::Time Midnight(absl::CivilDay day) {
  return absl::FromCivil(day, absl::UTCTimeZone());
}

}  // namespace

v1::LicenseStatus StatusOf(const License& license, absl::Time now) {
  if (license.state == v1::LICENSE_STATE_REVOKED) {
    return v1::LICENSE_STATUS_REVOKED;
  }
  if (license.state == v1::LICENSE_STATE_SUSPENDED) {
    return v1::LICENSE_STATUS_SUSPENDED;
  }
  if (now >= license.ends_at) return v1::LICENSE_STATUS_EXPIRED;
  if (now < license.starts_at) return v1::LICENSE_STATUS_NOT_STARTED;
  return v1::LICENSE_STATUS_ACTIVE;
}

absl::Status CheckUsable(const License& license, absl::Time now) {
  switch (StatusOf(license, now)) {
    case v1::LICENSE_STATUS_REVOKED:
      return NotUsable(v1::ERROR_REASON_LICENSE_REVOKED,
                       "The license was revoked; ask the vendor for another.");
    case v1::LICENSE_STATUS_SUSPENDED:
      return NotUsable(v1::ERROR_REASON_LICENSE_SUSPENDED,
                       "The license is suspended; ask the vendor to resume "
                       "it.");
    case v1::LICENSE_STATUS_EXPIRED:
      return NotUsable(
          v1::ERROR_REASON_LICENSE_EXPIRED,
          absl::StrCat("The license ended at ", FormatUtc(license.ends_at),
                       "; ask the vendor to extend it."));
    case v1::LICENSE_STATUS_NOT_STARTED:
      return NotUsable(
          v1::ERROR_REASON_LICENSE_NOT_STARTED,
          absl::StrCat("The license starts at ", FormatUtc(license.starts_at),
                       "; come back then, or ask the vendor for an earlier "
                       "start."));
    default:
      return absl::OkStatus();
  }
}

std::optional<absl::Duration> GracePeriod(const License& license) {
  if (license.model == v1::LICENSE_MODEL_SUBSCRIPTION) return std::nullopt;
  if (license.grace_period.has_value()) return license.grace_period;
  return DefaultGracePeriod(license.model);
}

v1::LicenseDocument MakeDocument(const License& license, const Account& account,
                                 std::string_view cluster_id, absl::Time now) {
  v1::LicenseDocument document;
  document.set_kind(v1::DOCUMENT_KIND_LICENSE);
  document.set_cluster_id(cluster_id.data(), cluster_id.size());
  document.set_license_id(license.id);
  document.set_license_name(license.name);
  document.set_account_name(account.name);
  document.set_license_key_masked(MaskedFromLastGroup(license.key_hint));
  document.set_status(StatusOf(license, now));
  document.set_model(license.model);
  *document.mutable_issued_at() = ToProto(now);
  *document.mutable_starts_at() = ToProto(license.starts_at);
  if (license.ends_at != absl::InfiniteFuture()) {
    *document.mutable_ends_at() = ToProto(license.ends_at);
  }
  *document.mutable_limits() = license.limits;
  document.mutable_entitlements()->Assign(license.entitlements.begin(),
                                          license.entitlements.end());
  if (const auto grace_period = GracePeriod(license)) {
    *document.mutable_grace_period() = ToProto(*grace_period);
  }
  return document;
}

Period QuotaPeriod(const License& license, absl::Time at) {
  const absl::CivilDay day = absl::ToCivilDay(at, absl::UTCTimeZone());
  if (license.limits.reset() != v1::QUOTA_RESET_ANNUAL) {
    const absl::CivilMonth month(day);
    return {Midnight(absl::CivilDay(month)),
            Midnight(absl::CivilDay(month + 1))};
  }
  const absl::CivilDay created =
      absl::ToCivilDay(license.created_at, absl::UTCTimeZone());
  absl::civil_year_t year = day.year();
  if (day < Anniversary(created, year)) --year;
  return {Midnight(Anniversary(created, year)),
          Midnight(Anniversary(created, year + 1))};
}

std::string Describe(const v1::LicenseDocument& license) {
  std::string text = absl::StrCat(
      absl::StripPrefix(v1::LicenseStatus_Name(license.status()),
                        "LICENSE_STATUS_"),
      ", ",
      absl::AsciiStrToLower(absl::StripPrefix(
          v1::LicenseModel_Name(license.model()), "LICENSE_MODEL_")));
  if (license.has_ends_at()) {
    absl::StrAppend(
        &text, ", ends ",
        absl::FormatTime("%Y-%m-%d",
                         absl::FromUnixSeconds(license.ends_at().seconds()),
                         absl::UTCTimeZone()));
  }
  return text;
}

}  // namespace mc::service

#include "mc-service/domain/license/license.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/time/civil_time.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

absl::Time Utc(int year, int month, int day, int hour = 0, int minute = 0,
               int second = 0) {
  return absl::FromCivil(
      absl::CivilSecond(year, month, day, hour, minute, second),
      absl::UTCTimeZone());
}

License Sample() {
  License license;
  license.id = "lic-1";
  license.account_id = "acc-1";
  license.name = "production";
  license.key_hint = "ABCD";
  license.created_at = Utc(2026, 1, 15, 13);
  license.starts_at = Utc(2026, 2, 1);
  license.ends_at = Utc(2027, 2, 1);
  return license;
}

TEST(LicenseStatus, IsActiveFromItsStartUntilItsEnd) {
  const License license = Sample();
  const absl::Duration tick = absl::Nanoseconds(1);
  EXPECT_EQ(StatusOf(license, license.starts_at - tick),
            v1::LICENSE_STATUS_NOT_STARTED);
  EXPECT_EQ(StatusOf(license, license.starts_at), v1::LICENSE_STATUS_ACTIVE);
  EXPECT_EQ(StatusOf(license, license.ends_at - tick),
            v1::LICENSE_STATUS_ACTIVE);
  EXPECT_EQ(StatusOf(license, license.ends_at), v1::LICENSE_STATUS_EXPIRED);
}

TEST(LicenseStatus, WithoutEndItNeverExpires) {
  License license = Sample();
  license.ends_at = absl::InfiniteFuture();
  EXPECT_EQ(StatusOf(license, Utc(9999, 1, 1)), v1::LICENSE_STATUS_ACTIVE);
}

TEST(LicenseStatus, OperatorsDecisionGoesBeforeTheDates) {
  License license = Sample();
  for (const absl::Time now :
       {Utc(2020, 1, 1), Utc(2026, 6, 1), Utc(2030, 1, 1)}) {
    license.state = v1::LICENSE_STATE_SUSPENDED;
    EXPECT_EQ(StatusOf(license, now), v1::LICENSE_STATUS_SUSPENDED);
    license.state = v1::LICENSE_STATE_REVOKED;
    EXPECT_EQ(StatusOf(license, now), v1::LICENSE_STATUS_REVOKED);
  }
}

TEST(LicenseStatus, OnlyAnActiveLicenseIsUsable) {
  License license = Sample();
  EXPECT_TRUE(CheckUsable(license, Utc(2026, 6, 1)).ok());
  const auto reason_at = [&](absl::Time now) {
    const absl::Status status = CheckUsable(license, now);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("vendor"))
        << "the message says what to do";
    return ReasonOf(status);
  };
  EXPECT_EQ(reason_at(Utc(2026, 1, 31)), v1::ERROR_REASON_LICENSE_NOT_STARTED);
  EXPECT_EQ(reason_at(Utc(2027, 2, 1)), v1::ERROR_REASON_LICENSE_EXPIRED);
  license.state = v1::LICENSE_STATE_SUSPENDED;
  EXPECT_EQ(reason_at(Utc(2026, 6, 1)), v1::ERROR_REASON_LICENSE_SUSPENDED);
  license.state = v1::LICENSE_STATE_REVOKED;
  EXPECT_EQ(reason_at(Utc(2026, 6, 1)), v1::ERROR_REASON_LICENSE_REVOKED);
}

TEST(GracePeriod, FollowsTheModelUnlessTheLicenseSaysIt) {
  License license = Sample();
  EXPECT_EQ(GracePeriod(license), absl::Hours(14 * 24));
  license.model = v1::LICENSE_MODEL_TRIAL;
  EXPECT_EQ(GracePeriod(license), absl::Hours(7 * 24));
  license.grace_period = absl::Hours(1);
  EXPECT_EQ(GracePeriod(license), absl::Hours(1));
  license.model = v1::LICENSE_MODEL_SUBSCRIPTION;
  EXPECT_EQ(GracePeriod(license), std::nullopt)
      << "the subscription model never disallows overage";
}

TEST(LicenseDocument, CarriesTheLicenseWithAMaskedKey) {
  License license = Sample();
  license.limits.set_rum_sessions(1000);
  license.entitlements.emplace_back().set_name("dashboards");
  const absl::Time now = Utc(2026, 6, 1);
  const v1::LicenseDocument document =
      MakeDocument(license, {"acc-1", "Example", now}, "cluster-1", now);
  EXPECT_EQ(document.kind(), v1::DOCUMENT_KIND_LICENSE);
  EXPECT_EQ(document.cluster_id(), "cluster-1");
  EXPECT_EQ(document.license_id(), "lic-1");
  EXPECT_EQ(document.license_name(), "production");
  EXPECT_EQ(document.account_name(), "Example");
  EXPECT_EQ(document.license_key_masked(),
            "MC-****-****-****-****-****-****-ABCD");
  EXPECT_EQ(document.status(), v1::LICENSE_STATUS_ACTIVE);
  EXPECT_EQ(document.model(), v1::LICENSE_MODEL_CLASSIC);
  EXPECT_EQ(document.issued_at().seconds(), absl::ToUnixSeconds(now));
  EXPECT_EQ(document.starts_at().seconds(),
            absl::ToUnixSeconds(license.starts_at));
  EXPECT_EQ(document.ends_at().seconds(), absl::ToUnixSeconds(license.ends_at));
  EXPECT_EQ(document.limits().rum_sessions(), 1000);
  ASSERT_EQ(document.entitlements_size(), 1);
  EXPECT_EQ(document.entitlements(0).name(), "dashboards");
  EXPECT_EQ(document.grace_period().seconds(), 14 * 24 * 3600);
  EXPECT_EQ(Describe(document), "ACTIVE, classic, ends 2027-02-01");
}

TEST(LicenseDocument, LeavesOutWhatHasNoEnd) {
  License license = Sample();
  license.ends_at = absl::InfiniteFuture();
  license.model = v1::LICENSE_MODEL_SUBSCRIPTION;
  const v1::LicenseDocument document =
      MakeDocument(license, {}, "cluster-1", Utc(2026, 6, 1));
  EXPECT_FALSE(document.has_ends_at());
  EXPECT_FALSE(document.has_grace_period());
  EXPECT_EQ(Describe(document), "ACTIVE, subscription");
}

struct PeriodCase {
  v1::QuotaReset reset;
  absl::Time created;
  absl::Time at;
  absl::Time start;
  absl::Time end;
};

TEST(QuotaPeriod, EdgesAreInUtc) {
  const v1::QuotaReset monthly = v1::QUOTA_RESET_MONTHLY;
  const v1::QuotaReset annual = v1::QUOTA_RESET_ANNUAL;
  const absl::Time may = Utc(2024, 5, 10, 13);
  const absl::Time leap = Utc(2024, 2, 29, 23, 59, 59);
  const PeriodCase cases[] = {
      {monthly, may, Utc(2026, 2, 1), Utc(2026, 2, 1), Utc(2026, 3, 1)},
      {monthly, may, Utc(2026, 2, 28, 23, 59, 59), Utc(2026, 2, 1),
       Utc(2026, 3, 1)},
      {monthly, may, Utc(2026, 12, 31, 23), Utc(2026, 12, 1), Utc(2027, 1, 1)},
      {v1::QUOTA_RESET_UNSPECIFIED, may, Utc(2026, 2, 5), Utc(2026, 2, 1),
       Utc(2026, 3, 1)},
      // The day of creation counts, not its hour.
      {annual, may, Utc(2026, 5, 10), Utc(2026, 5, 10), Utc(2027, 5, 10)},
      {annual, may, Utc(2026, 5, 9, 23, 59, 59), Utc(2025, 5, 10),
       Utc(2026, 5, 10)},
      {annual, may, may, Utc(2024, 5, 10), Utc(2025, 5, 10)},
      // Usage from before the license was created.
      {annual, may, Utc(2024, 1, 1), Utc(2023, 5, 10), Utc(2024, 5, 10)},
      {annual, Utc(2024, 1, 1), Utc(2025, 12, 31, 23), Utc(2025, 1, 1),
       Utc(2026, 1, 1)},
      // 29 February.
      {annual, leap, leap, Utc(2024, 2, 29), Utc(2025, 2, 28)},
      {annual, leap, Utc(2025, 2, 27, 23), Utc(2024, 2, 29), Utc(2025, 2, 28)},
      {annual, leap, Utc(2025, 2, 28), Utc(2025, 2, 28), Utc(2026, 2, 28)},
      {annual, leap, Utc(2028, 2, 28, 23), Utc(2027, 2, 28), Utc(2028, 2, 29)},
      {annual, leap, Utc(2028, 2, 29), Utc(2028, 2, 29), Utc(2029, 2, 28)},
  };
  for (const PeriodCase& c : cases) {
    License license;
    license.limits.set_reset(c.reset);
    license.created_at = c.created;
    const Period period = QuotaPeriod(license, c.at);
    EXPECT_EQ(period.start, c.start) << c.created << " at " << c.at;
    EXPECT_EQ(period.end, c.end) << c.created << " at " << c.at;
  }
}

}  // namespace
}  // namespace mc::service

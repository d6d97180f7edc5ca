#include "mc-service/domain/ledger/terms.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

absl::Time Day(int year, int month, int day, int hour = 0) {
  return absl::FromCivil(absl::CivilHour(year, month, day, hour),
                         absl::UTCTimeZone());
}

LicenseTerms Terms(absl::Time from, v1::QuotaReset reset,
                   std::optional<int64_t> host_units = std::nullopt) {
  LicenseTerms terms;
  terms.from = from;
  terms.limits.set_reset(reset);
  if (host_units) terms.limits.set_host_units_milli(*host_units);
  return terms;
}

License CreatedOn(absl::Time time) {
  License license;
  license.created_at = time;
  return license;
}

constexpr auto kMonthly = v1::QUOTA_RESET_MONTHLY;
constexpr auto kAnnual = v1::QUOTA_RESET_ANNUAL;

TEST(Terms, FirstOnesAlsoHoldBefore) {
  const std::vector<LicenseTerms> terms = {Terms(Day(2026, 3, 1), kMonthly),
                                           Terms(Day(2026, 4, 1), kAnnual)};
  EXPECT_EQ(&TermsAt(terms, Day(2026, 1, 1)), &terms[0]);
  EXPECT_EQ(&TermsAt(terms, Day(2026, 4, 1) - absl::Microseconds(1)),
            &terms[0]);
  EXPECT_EQ(&TermsAt(terms, Day(2026, 4, 1)), &terms[1]);
}

TEST(Terms, AnnualPeriodOfALeapDayEndsOnTheLastOfFebruary) {
  const License license = CreatedOn(Day(2024, 2, 29, 13));
  const std::vector<LicenseTerms> terms = {Terms(license.created_at, kAnnual)};
  Period period = QuotaPeriodAt(license, terms, Day(2026, 1, 1));
  EXPECT_EQ(period.start, Day(2025, 2, 28));
  EXPECT_EQ(period.end, Day(2026, 2, 28));
  period = QuotaPeriodAt(license, terms, Day(2028, 2, 28, 23));
  EXPECT_EQ(period.start, Day(2027, 2, 28));
  EXPECT_EQ(period.end, Day(2028, 2, 29));
}

TEST(Terms, OtherLimitsLeaveThePeriodAsItIs) {
  const License license = CreatedOn(Day(2026, 1, 15));
  const std::vector<LicenseTerms> terms = {
      Terms(license.created_at, kMonthly, 1000),
      Terms(Day(2026, 6, 15), kMonthly, 2000)};
  const Period period = QuotaPeriodAt(license, terms, Day(2026, 6, 20));
  EXPECT_EQ(period.start, Day(2026, 6, 1));
  EXPECT_EQ(period.end, Day(2026, 7, 1));
}

TEST(Terms, AnotherResetCutsThePeriod) {
  const License license = CreatedOn(Day(2026, 1, 15));
  const absl::Time moved = Day(2026, 6, 15, 7) + absl::Microseconds(3);
  const std::vector<LicenseTerms> terms = {Terms(license.created_at, kMonthly),
                                           Terms(moved, kAnnual),
                                           Terms(Day(2026, 9, 9), kAnnual, 5)};
  Period period = QuotaPeriodAt(license, terms, Day(2026, 6, 15));
  EXPECT_EQ(period.start, Day(2026, 6, 1));
  EXPECT_EQ(period.end, moved);
  for (const absl::Time at : {moved, Day(2026, 12, 31)}) {
    period = QuotaPeriodAt(license, terms, at);
    EXPECT_EQ(period.start, moved);
    EXPECT_EQ(period.end, Day(2027, 1, 15));
  }
  EXPECT_EQ(QuotaPeriodAt(license, terms, Day(2026, 5, 1)).end,
            Day(2026, 6, 1));
}

TEST(Terms, OfAnHourTheHighestLimitHolds) {
  const std::vector<LicenseTerms> terms = {
      Terms(Day(2026, 1, 1), kMonthly, 1000),
      Terms(Day(2026, 6, 1, 10) + absl::Minutes(30), kMonthly, 3000),
      Terms(Day(2026, 6, 1, 12) + absl::Minutes(30), kMonthly, 2000),
      Terms(Day(2026, 6, 2), kMonthly)};
  EXPECT_EQ(HostUnitLimit(terms, Day(2025, 6, 1)), 1000);
  EXPECT_EQ(HostUnitLimit(terms, Day(2026, 6, 1, 9)), 1000);
  EXPECT_EQ(HostUnitLimit(terms, Day(2026, 6, 1, 10)), 3000);
  EXPECT_EQ(HostUnitLimit(terms, Day(2026, 6, 1, 12)), 3000);
  EXPECT_EQ(HostUnitLimit(terms, Day(2026, 6, 1, 13)), 2000);
  EXPECT_EQ(HostUnitLimit(terms, Day(2026, 6, 2)), std::nullopt);
  EXPECT_EQ(HostUnitOverage(terms, {Day(2026, 6, 1, 13), 2500}), 500);
  EXPECT_EQ(HostUnitOverage(terms, {Day(2026, 6, 1, 13), 1500}), 0);
  EXPECT_EQ(HostUnitOverage(terms, {Day(2026, 6, 2), 99999}), 0);
}

}  // namespace
}  // namespace mc::service

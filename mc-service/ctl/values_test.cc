#include "mc-service/ctl/values.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

TEST(Values, Thousandths) {
  EXPECT_EQ(*MilliValue("--host-units", "10"), 10000);
  EXPECT_EQ(*MilliValue("--host-units", "10.5"), 10500);
  EXPECT_EQ(*MilliValue("--host-units", "0.075"), 75);
  for (const char* bad : {"", "-1", "1.2345", "x", "1.x", "1.-2"}) {
    EXPECT_FALSE(MilliValue("--host-units", bad).ok()) << bad;
  }
  EXPECT_EQ(MilliText(10000), "10");
  EXPECT_EQ(MilliText(10500), "10.5");
  EXPECT_EQ(MilliText(75), "0.075");
  EXPECT_EQ(MilliText(0), "0");
}

TEST(Values, Meters) {
  const auto meter = MeterValue("log-bytes:bytes:1000:allowed");
  ASSERT_TRUE(meter.ok());
  EXPECT_EQ(meter->meter_id(), "log-bytes");
  EXPECT_EQ(meter->unit(), "bytes");
  EXPECT_EQ(meter->quantity(), 1000);
  EXPECT_EQ(meter->overage(), missioncontrol::v1::OVERAGE_RULE_ALLOWED);
  EXPECT_FALSE(MeterValue("log-bytes:bytes")->has_quantity());
  for (const char* bad :
       {"", "x", "a:b:c", "a:b:1:perhaps", "a:b:1:allowed:x"}) {
    EXPECT_FALSE(MeterValue(bad).ok()) << bad;
  }
}

TEST(Values, Entitlements) {
  EXPECT_TRUE(EntitlementValue("sso=true")->enabled());
  EXPECT_EQ(EntitlementValue("seats=25")->limit(), 25);
  EXPECT_FALSE(EntitlementValue("seats").ok());
  EXPECT_FALSE(EntitlementValue("seats=many").ok());
}

TEST(Values, TimesAndDurations) {
  EXPECT_EQ(TimeValue("--ends-at", "2026-05-04T10:00:00Z")->seconds(),
            1777888800);
  EXPECT_FALSE(TimeValue("--ends-at", "tomorrow").ok());
  EXPECT_EQ(DurationValue("--grace-period", "14d")->seconds(), 14 * 86400);
  EXPECT_FALSE(DurationValue("--grace-period", "-1h").ok());
}

TEST(PeriodValue, AMissingEndIsFarAway) {
  const auto until = PeriodValue("", "2027-01-01T00:00:00Z");
  ASSERT_TRUE(until.ok()) << until.status();
  EXPECT_LT(until->start().seconds(), until->end().seconds());
  const auto since = PeriodValue("2027-01-01T00:00:00Z", "");
  ASSERT_TRUE(since.ok()) << since.status();
  EXPECT_EQ(since->start().seconds(), 1'798'761'600);
  EXPECT_LT(since->start().seconds(), since->end().seconds());
  EXPECT_FALSE(PeriodValue("yesterday", "").ok());
}

}  // namespace
}  // namespace mc::service

// The hour is closed once, in UTC, whatever is done to the clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "cluster-agent/outbox/fixture.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using testing::ElementsAre;
using testing::Pair;

constexpr absl::Duration kYear = absl::Hours(24 * 365);

absl::Time StartOf(const Consumption& consumption) {
  return FromProto(consumption.time_frame().start()).value();
}

// Sessions by the start of their time frames.
std::map<absl::Time, int64_t> Sessions(OutboxFixture& f) {
  std::map<absl::Time, int64_t> sessions;
  for (const Consumption& consumption : f.Consumptions()) {
    for (const auto& environment : consumption.environments()) {
      sessions[StartOf(consumption)] += environment.rum_sessions();
    }
  }
  return sessions;
}

absl::Status Use(OutboxFixture& f, const std::string& key, int64_t count) {
  return f.Record({SessionsRecord(key, "env", count, f.clock.Now())}).status();
}

TEST(Clock, AJumpAheadClosesNoHourEarly) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(Use(f, "a", 1).ok());
  const absl::Time right = f.clock.Now();
  f.clock.SetNow(right + kYear);
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  f.clock.SetNow(right);
  ASSERT_TRUE(Use(f, "b", 2).ok());
  f.clock.Advance(absl::Minutes(31));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  EXPECT_THAT(Sessions(f), ElementsAre(Pair(kTen, 3)));
}

TEST(Clock, WhatIsUsedWhileItIsAYearAheadIsBilledForItsRealHour) {
  OutboxFixture f;
  f.Open();
  f.outbox().SetServiceTime(f.clock.Now());
  ASSERT_TRUE(Use(f, "a", 1).ok());
  f.clock.SetNow(f.clock.Now() + kYear);
  // The product reads the same clock; another record has no time.
  ASSERT_TRUE(Use(f, "b", 2).ok());
  missioncontrol::v1::UsageRecord now = SessionsRecord("c", "env", 4, kTen);
  now.clear_used_at();
  ASSERT_TRUE(f.Record({now}).ok());
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  f.clock.Advance(absl::Minutes(31));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  f.clock.SetNow(f.clock.Now() - kYear);
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  EXPECT_THAT(Sessions(f), ElementsAre(Pair(kTen, 7)));
}

TEST(Clock, AWrongStartIsCorrectedWhenTheServiceIsHeard) {
  OutboxFixture f;
  const absl::Time right = f.clock.Now();
  f.clock.SetNow(right + kYear);
  f.Open();
  ASSERT_TRUE(Use(f, "a", 1).ok());
  ASSERT_TRUE(
      f.Record({HostRecord("h", "host", right + kYear - absl::Minutes(20),
                           right + kYear)})
          .ok());
  f.outbox().SetServiceTime(right);
  f.clock.Advance(absl::Minutes(31));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_THAT(Sessions(f), ElementsAre(Pair(kTen, 1)));
  const auto hosts = f.Consumptions()[0].environments(0).hosts();
  ASSERT_EQ(hosts.size(), 1);
  EXPECT_EQ(FromProto(hosts[0].monitored(0).start()).value(),
            right - absl::Minutes(20));
  EXPECT_EQ(FromProto(hosts[0].monitored(0).end()).value(), right);
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 0);
}

TEST(Clock, AYearBackLosesNothingAndBillsItsRealHour) {
  OutboxFixture f;
  f.Open();
  f.outbox().SetServiceTime(f.clock.Now());
  f.clock.SetNow(f.clock.Now() - kYear);
  ASSERT_TRUE(Use(f, "a", 3).ok());
  f.clock.Advance(absl::Minutes(31));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  EXPECT_THAT(Sessions(f), ElementsAre(Pair(kTen, 3)));
}

TEST(Clock, WithoutTheServiceAClockSetBackHoldsFramesUntilItIsHeard) {
  OutboxFixture f;
  f.Open();
  const absl::Time right = f.clock.Now();
  f.clock.SetNow(right + kYear);
  ASSERT_TRUE(Use(f, "a", 3).ok());
  f.clock.SetNow(right);
  f.clock.Advance(absl::Hours(2));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0) << "it lies in the future";
  f.outbox().SetServiceTime(f.clock.Now());
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  f.clock.Advance(absl::Hours(1));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 0);
  int64_t sum = 0;
  for (const auto& [start, sessions] : Sessions(f)) {
    EXPECT_LT(start, f.clock.Now());
    sum += sessions;
  }
  EXPECT_EQ(sum, 3);
}

// Local time repeats an hour on 2026-10-25 in Vienna and leaves one out on
// 2026-03-29; UTC knows nothing of it.
TEST(Clock, DaylightSavingDaysHaveTwentyFourHours) {
  for (const char* day : {"2026-03-29T00:30:00Z", "2026-10-25T00:30:00Z"}) {
    SCOPED_TRACE(day);
    OutboxFixture f(ParseRfc3339(day).value());
    f.Open();
    f.outbox().SetServiceTime(f.clock.Now());
    const absl::Time midnight = f.clock.Now() - absl::Minutes(30);
    for (int hour = 0; hour < 24; ++hour) {
      ASSERT_TRUE(Use(f, std::to_string(hour), 1).ok());
      f.clock.Advance(absl::Hours(1));
      EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
    }
    const auto sessions = Sessions(f);
    ASSERT_EQ(sessions.size(), 24u);
    int hour = 0;
    for (const auto& [start, count] : sessions) {
      EXPECT_EQ(start, midnight + absl::Hours(hour++));
      EXPECT_EQ(count, 1);
    }
  }
}

// A leap second is a second that the wall clock shows twice (or smears): at the
// end of 2016 the last second of the year came again.
TEST(Clock, ALeapSecondClosesItsHourOnce) {
  const absl::Time year = ParseRfc3339("2017-01-01T00:00:00Z").value();
  OutboxFixture f(year - absl::Milliseconds(1500));
  f.Open();
  f.outbox().SetServiceTime(f.clock.Now());
  ASSERT_TRUE(Use(f, "a", 1).ok());
  f.clock.Advance(absl::Milliseconds(1600));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  f.clock.SetNow(f.clock.Now() - absl::Seconds(1));
  ASSERT_TRUE(Use(f, "b", 2).ok());
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  f.clock.Advance(absl::Seconds(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1) << "late usage, once";
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  EXPECT_THAT(Sessions(f), ElementsAre(Pair(year - absl::Hours(1), 3)));
}

TEST(Clock, ASleepingMachineClosesWhatEndedMeanwhile) {
  OutboxFixture f;
  f.Open();
  f.outbox().SetServiceTime(f.clock.Now());
  ASSERT_TRUE(Use(f, "a", 1).ok());
  f.clock.Advance(absl::Hours(24 * 14));
  ASSERT_TRUE(Use(f, "b", 2).ok());
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  f.clock.Advance(absl::Hours(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  EXPECT_THAT(Sessions(f),
              ElementsAre(Pair(kTen, 1), Pair(kTen + absl::Hours(24 * 14), 2)));
}

// A meter is its ID and its unit: they are summed up apart, and the same ID
// comes once at most in an environment of a report.
TEST(CloseFrames, TheSameMeterInTwoUnitsIsTwoMeters) {
  OutboxFixture f;
  f.Open();
  std::vector<missioncontrol::v1::UsageRecord> records;
  for (const auto& [unit, quantity] :
       {std::pair{"GiB", 1}, {"calls", 20}, {"GiB", 300}}) {
    records.push_back(
        SessionsRecord(std::to_string(quantity), "env", 0, f.clock.Now()));
    records.back().mutable_meter()->set_meter_id("logs");
    records.back().mutable_meter()->set_unit(unit);
    records.back().mutable_meter()->set_quantity(quantity);
  }
  ASSERT_TRUE(f.Record(records).ok());
  f.clock.Advance(absl::Hours(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 2);
  std::map<std::string, int64_t> quantities;
  for (const Consumption& consumption : f.Consumptions()) {
    for (const auto& environment : consumption.environments()) {
      EXPECT_LE(environment.meters_size(), 1);
      for (const auto& meter : environment.meters()) {
        quantities[meter.unit()] += meter.quantity();
      }
    }
  }
  EXPECT_THAT(quantities, ElementsAre(Pair("GiB", 301), Pair("calls", 20)));
}

}  // namespace
}  // namespace mc::agent

// Recording usage and closing time frames.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "cluster-agent/domain/usage/check.h"
#include "cluster-agent/outbox/fixture.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::LANE_BILLING;
using missioncontrol::v1::UsageRecord;

absl::Time StartOf(const Consumption& c) {
  return mc::FromProto(c.time_frame().start()).value();
}
absl::Time EndOf(const Consumption& c) {
  return mc::FromProto(c.time_frame().end()).value();
}

TEST(RecordUsage, RepeatedRecordIsCountedOnce) {
  OutboxFixture f;
  f.Open();
  auto result = f.Record({SessionsRecord("a", "env", 1, f.clock.Now()),
                          SessionsRecord("b", "env", 2, f.clock.Now()),
                          SessionsRecord("a", "env", 1, f.clock.Now())});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->recorded, 2);
  EXPECT_EQ(result->repeated, 1);
  f.Open();  // A restart.
  result = f.Record({SessionsRecord("b", "env", 2, f.clock.Now())});
  EXPECT_EQ(result->recorded, 0);
  EXPECT_EQ(result->repeated, 1);
  f.clock.Advance(absl::Hours(1));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  // Also after the frame was closed.
  result = f.Record({SessionsRecord("a", "env", 1, f.clock.Now())});
  EXPECT_EQ(result->repeated, 1);
  ASSERT_EQ(f.Consumptions().size(), 1);
  EXPECT_EQ(f.Consumptions()[0].environments(0).rum_sessions(), 3);
}

TEST(RecordUsage, OneBadRecordRefusesAllOfItsRequest) {
  OutboxFixture f;
  f.Open();
  UsageRecord bad = SessionsRecord("b", "env", -1, f.clock.Now());
  const absl::Status status =
      f.Record({SessionsRecord("a", "env", 1, f.clock.Now()), bad}).status();
  ASSERT_TRUE(ErrorInfoOf(status).has_value()) << status;
  EXPECT_EQ(ErrorInfoOf(status)->metadata().at("field"),
            "records[1].rum_sessions");
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 0);
  // Nor is its key taken.
  EXPECT_EQ(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())})->recorded,
            1);
}

TEST(RecordUsage, AThousandRecordsAreTheMostAtOnce) {
  OutboxFixture f;
  f.Open();
  std::vector<UsageRecord> records;
  for (int i = 0; i < 1000; ++i) {
    records.push_back(
        SessionsRecord(std::to_string(i), "env", 1, f.clock.Now()));
  }
  EXPECT_EQ(f.Record(records)->recorded, 1000);
  records.push_back(SessionsRecord("more", "env", 1, f.clock.Now()));
  EXPECT_TRUE(absl::IsInvalidArgument(f.Record(records).status()));
}

TEST(RecordUsage, WithoutATimeItWasUsedNow) {
  OutboxFixture f;
  f.Open();
  UsageRecord record = SessionsRecord("a", "env", 1, f.clock.Now());
  record.clear_used_at();
  ASSERT_TRUE(f.Record({record}).ok());
  f.clock.Advance(absl::Hours(1));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  ASSERT_EQ(f.Consumptions().size(), 1);
  EXPECT_EQ(StartOf(f.Consumptions()[0]), kTen);
}

TEST(RecordUsage, KeysAreForgottenAfterTheirTime) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.key_retention = absl::Hours(24);
  f.Open(options);
  ASSERT_TRUE(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())}).ok());
  f.clock.Advance(absl::Hours(23));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())})->repeated,
            1);
  f.clock.Advance(absl::Hours(2));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())})->recorded,
            1);
}

TEST(CloseFrames, OnlyEndedFramesAreClosed) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())}).ok());
  f.PassUntil(kTen + absl::Hours(1) - absl::Nanoseconds(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  f.PassUntil(kTen + absl::Hours(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 0);
  EXPECT_EQ(f.outbox().reader().Stats()->waiting_reports, 1);
}

TEST(CloseFrames, ShortFramesNeverCrossTheHour) {
  OutboxFixture f(kTen - absl::Seconds(75));
  Outbox::Options options = f.Options();
  options.frame_length = absl::Seconds(30);
  f.Open(options);
  f.PassUntil(kTen + absl::Minutes(2));
  ASSERT_TRUE(f.Record({HostRecord("h", "host", kTen - absl::Seconds(70),
                                   kTen + absl::Seconds(50))})
                  .ok());
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  const auto consumptions = f.Consumptions();
  ASSERT_EQ(consumptions.size(), 5);
  absl::Duration monitored;
  for (size_t i = 0; i < consumptions.size(); ++i) {
    const Consumption& c = consumptions[i];
    EXPECT_EQ(StartOf(c), kTen + absl::Seconds(30) * (static_cast<int>(i) - 3));
    EXPECT_EQ(EndOf(c) - StartOf(c), absl::Seconds(30));
    const auto& interval = c.environments(0).hosts(0).monitored(0);
    monitored += mc::FromProto(interval.end()).value() -
                 mc::FromProto(interval.start()).value();
  }
  EXPECT_EQ(monitored, absl::Seconds(120));
}

TEST(CloseFrames, RestOfALongIntervalWaitsForItsFrame) {
  OutboxFixture f;
  f.Open();
  f.PassUntil(kTen + absl::Minutes(62));
  ASSERT_TRUE(f.Record({HostRecord("h", "host", kTen - absl::Minutes(90),
                                   kTen + absl::Minutes(65))})
                  .ok());
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(f.Consumptions().size(), 3);
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 1);
  f.Open();
  f.PassUntil(kTen + absl::Hours(2));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  ASSERT_EQ(f.Consumptions().size(), 4);
  const missioncontrol::v1::TimeFrame rest =
      f.Consumptions()[3].environments(0).hosts(0).monitored(0);
  EXPECT_EQ(mc::FromProto(rest.start()).value(), kTen + absl::Hours(1));
  EXPECT_EQ(mc::FromProto(rest.end()).value(), kTen + absl::Minutes(65));
  EXPECT_EQ(f.outbox().reader().Stats()->open_usage_records, 0);
}

TEST(CloseFrames, AnotherFrameLengthDoublesNothing) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.frame_length = absl::Minutes(15);
  f.Open(options);
  f.PassUntil(kTen + absl::Minutes(45));
  ASSERT_TRUE(f.Record({HostRecord("h", "host", kTen + absl::Minutes(20),
                                   kTen + absl::Minutes(49))})
                  .ok());
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(f.Consumptions().size(), 2);
  f.Open();
  f.PassUntil(kTen + absl::Hours(1));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  ASSERT_EQ(f.Consumptions().size(), 3);
  const missioncontrol::v1::TimeFrame rest =
      f.Consumptions()[2].environments(0).hosts(0).monitored(0);
  EXPECT_EQ(mc::FromProto(rest.start()).value(), kTen + absl::Minutes(45));
}

TEST(CloseFrames, LateUsageComesInItsOwnFrameOnceMore) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())}).ok());
  f.PassUntil(kTen + absl::Minutes(61));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  ASSERT_TRUE(f.SetEnvironments({"env", "idle"}).ok());
  ASSERT_TRUE(
      f.Record({SessionsRecord("b", "env", 5, kTen + absl::Minutes(59))}).ok());
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  const auto consumptions = f.Consumptions();
  ASSERT_EQ(consumptions.size(), 2);
  EXPECT_EQ(StartOf(consumptions[1]), kTen);
  // Only what came late: the frame's first report has said the rest.
  ASSERT_EQ(consumptions[1].environments_size(), 1);
  EXPECT_EQ(consumptions[1].environments(0).rum_sessions(), 5);
}

TEST(CloseFrames, KnownEnvironmentsAreReportedWhileTheAgentRuns) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.SetEnvironments({"b", "a", "b"}).ok());
  for (int hour = 1; hour <= 3; ++hour) {
    f.PassUntil(kTen + absl::Hours(hour) + absl::Seconds(1));
    EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  }
  // Down for two months; in the hour of the stop and of the start it ran.
  f.Close();
  f.clock.Advance(absl::Hours(60 * 24));
  f.Open();
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  f.clock.Advance(absl::Hours(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  const auto consumptions = f.Consumptions();
  ASSERT_EQ(consumptions.size(), 5);
  EXPECT_EQ(consumptions[0].environments_size(), 2);
  EXPECT_EQ(StartOf(consumptions[3]), kTen + absl::Hours(3));
  EXPECT_EQ(StartOf(consumptions[4]), kTen + absl::Hours(60 * 24 + 3));
}

TEST(CloseFrames, MonthsOfSleepAreNotMonthsOfReports) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.SetEnvironments({"env"}).ok());
  f.clock.Advance(absl::Hours(60 * 24));
  EXPECT_LE(f.outbox().CloseFrames()->reports, 3);
}

TEST(CloseFrames, ClockSetBackClosesNothingTwice) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.SetEnvironments({"env"}).ok());
  ASSERT_TRUE(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())}).ok());
  f.PassUntil(kTen + absl::Minutes(61));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  f.clock.SetNow(kTen + absl::Minutes(20));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  ASSERT_TRUE(f.Record({SessionsRecord("b", "env", 2, f.clock.Now())}).ok());
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 0);
  f.PassUntil(kTen + absl::Minutes(61));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  f.PassUntil(kTen + absl::Minutes(121));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  const auto consumptions = f.Consumptions();
  ASSERT_EQ(consumptions.size(), 3);
  EXPECT_EQ(consumptions[0].environments(0).rum_sessions(), 1);
  EXPECT_EQ(consumptions[1].environments(0).rum_sessions(), 2);
  EXPECT_EQ(StartOf(consumptions[1]), kTen);
  EXPECT_EQ(StartOf(consumptions[2]), kTen + absl::Hours(1));
}

TEST(CloseFrames, WhatNoReportMayCarryComesInSeveral) {
  OutboxFixture f;
  f.Open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(f.Record({SessionsRecord(std::to_string(i), "env",
                                         kMaxQuantityPerReport, f.clock.Now())})
                    .ok());
  }
  f.clock.Advance(absl::Hours(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 3);
}

TEST(CloseFrames, LargeFrameBecomesSeveralReports) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.max_report_bytes = 64 << 10;
  f.Open(options);
  for (int i = 0; i < 4; ++i) {
    std::vector<UsageRecord> records;
    for (int j = 0; j < 500; ++j) {
      const std::string id = std::to_string(1000 * i + j);
      UsageRecord record = SessionsRecord(id, "env", 0, f.clock.Now());
      record.mutable_synthetic()->set_monitor_id(id);
      record.mutable_synthetic()->set_description(std::string(200, 'x'));
      record.mutable_synthetic()->set_success_count(1);
      records.push_back(record);
    }
    ASSERT_TRUE(f.Record(records).ok());
  }
  f.clock.Advance(absl::Hours(1));
  EXPECT_GT(f.outbox().CloseFrames()->reports, 6);
  int64_t sum = 0;
  for (const OutboxReport& report : f.Waiting(LANE_BILLING)) {
    EXPECT_LE(report.request.size(), (64 << 10) + 200);
    const Consumption consumption = EnvelopeOf(report).consumption();
    for (const auto& environment : consumption.environments()) {
      for (const auto& monitor : environment.synthetic_monitors()) {
        sum += monitor.success_count();
      }
    }
  }
  EXPECT_EQ(sum, 2000);
}

TEST(CloseFrames, FileIsOwnerOnly) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.Record({SessionsRecord("a", "env", 1, f.clock.Now())}).ok());
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat info;
    ASSERT_EQ(stat((f.path() + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600) << suffix;
  }
}

}  // namespace
}  // namespace mc::agent

#include "cluster-agent/domain/usage/check.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::UsageRecord;

const absl::Time kNow = absl::FromUnixSeconds(1777888800);

UsageRecord Sessions() {
  UsageRecord record;
  record.set_idempotency_key("key-1");
  record.set_environment_id("env-1");
  *record.mutable_used_at() = mc::ToProto(kNow);
  record.set_rum_sessions(3);
  return record;
}

UsageRecord Host(absl::Time start, absl::Time end) {
  UsageRecord record;
  record.set_idempotency_key("key-1");
  record.set_environment_id("env-1");
  record.mutable_host()->set_host_id("host-1");
  record.mutable_host()->set_host_category(
      missioncontrol::v1::HOST_CATEGORY_FULL_STACK);
  record.mutable_host()->set_memory_bytes(int64_t{8} << 30);
  record.mutable_host()->add_technologies("JAVA");
  *record.mutable_host()->mutable_monitored() = ToProto(TimeFrame{start, end});
  return record;
}

TEST(CheckUsageRecord, TakesEveryKindOfUsage) {
  EXPECT_TRUE(CheckUsageRecord(Sessions(), kNow).ok());
  EXPECT_TRUE(CheckUsageRecord(Host(kNow - absl::Hours(1), kNow), kNow).ok());
  UsageRecord record = Sessions();
  record.clear_used_at();
  record.set_new_problems(0);
  EXPECT_TRUE(CheckUsageRecord(record, kNow).ok());
  record.mutable_meter()->set_meter_id("api-calls");
  record.mutable_meter()->set_unit("calls");
  EXPECT_TRUE(CheckUsageRecord(record, kNow).ok());
  record.mutable_synthetic()->set_monitor_id("monitor-1");
  record.mutable_synthetic()->set_description("Shop: log in");
  EXPECT_TRUE(CheckUsageRecord(record, kNow).ok());
}

TEST(CheckUsageRecord, RefusesWhatIsNotARecord) {
  const struct {
    std::string field;
    std::function<void(UsageRecord&)> spoil;
  } kCases[] = {
      {"idempotency_key", [](auto& r) { r.clear_idempotency_key(); }},
      {"idempotency_key", [](auto& r) { r.set_idempotency_key("a b"); }},
      {"environment_id", [](auto& r) { r.clear_environment_id(); }},
      {"environment_id", [](auto& r) { r.set_environment_id("../x"); }},
      {"usage", [](auto& r) { r.clear_usage(); }},
      {"rum_sessions", [](auto& r) { r.set_rum_sessions(-1); }},
      {"rum_sessions",
       [](auto& r) {
         r.set_rum_sessions(std::numeric_limits<int64_t>::max());
       }},
      {"new_problems", [](auto& r) { r.set_new_problems(-1); }},
      {"used_at",
       [](auto& r) {
         *r.mutable_used_at() = mc::ToProto(kNow + absl::Seconds(301));
       }},
      {"used_at", [](auto& r) { r.mutable_used_at()->set_nanos(-1); }},
      {"synthetic.monitor_id", [](auto& r) { r.mutable_synthetic(); }},
      {"synthetic.success_count",
       [](auto& r) {
         r.mutable_synthetic()->set_monitor_id("m");
         r.mutable_synthetic()->set_success_count(-5);
       }},
      {"meter.unit", [](auto& r) { r.mutable_meter()->set_meter_id("calls"); }},
      {"meter.quantity",
       [](auto& r) {
         r.mutable_meter()->set_meter_id("calls");
         r.mutable_meter()->set_unit("calls");
         r.mutable_meter()->set_quantity(kMaxQuantityPerReport + 1);
       }},
  };
  for (const auto& test : kCases) {
    UsageRecord record = Sessions();
    test.spoil(record);
    const absl::Status status = CheckUsageRecord(record, kNow);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test.field << status;
    ASSERT_TRUE(ErrorInfoOf(status).has_value()) << test.field;
    EXPECT_EQ(ErrorInfoOf(status)->metadata().at("field"), test.field);
  }
}

TEST(CheckUsageRecord, FiveMinutesAheadAreAllowed) {
  UsageRecord record = Sessions();
  *record.mutable_used_at() = mc::ToProto(kNow + absl::Minutes(5));
  EXPECT_TRUE(CheckUsageRecord(record, kNow).ok());
  EXPECT_TRUE(CheckUsageRecord(Host(kNow, kNow + absl::Minutes(5)), kNow).ok());
}

TEST(CheckUsageRecord, HostIntervalMustBeOne) {
  const absl::Time old = kNow - absl::Hours(100 * 24);
  const TimeFrame kBad[] = {
      {kNow, kNow},
      {kNow, kNow - absl::Seconds(1)},
      {kNow - absl::Hours(1), kNow + absl::Seconds(301)},
      {old, old + kMaxHostInterval + absl::Nanoseconds(1)},
  };
  for (const TimeFrame& interval : kBad) {
    const absl::Status status =
        CheckUsageRecord(Host(interval.start, interval.end), kNow);
    EXPECT_EQ(ReasonOf(status),
              missioncontrol::v1::ERROR_REASON_TIME_FRAME_INVALID)
        << status;
  }
  EXPECT_TRUE(CheckUsageRecord(Host(old, old + kMaxHostInterval), kNow).ok());
  UsageRecord record = Host(kNow - absl::Hours(1), kNow);
  record.mutable_host()->clear_monitored();
  EXPECT_FALSE(CheckUsageRecord(record, kNow).ok());
  record = Host(kNow - absl::Hours(1), kNow);
  record.mutable_host()->clear_host_category();
  EXPECT_FALSE(CheckUsageRecord(record, kNow).ok());
}

}  // namespace
}  // namespace mc::agent

#include "mc-service/domain/consumption/rules.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::service {
namespace {

constexpr absl::Time kHour = absl::FromUnixSeconds(1'799'996'400);

void SetFrame(v1::TimeFrame* frame, absl::Duration from, absl::Duration to) {
  *frame->mutable_start() = ToProto(kHour + from);
  *frame->mutable_end() = ToProto(kHour + to);
}

v1::Consumption Valid() {
  v1::Consumption consumption;
  consumption.set_cluster_id("c-1");
  SetFrame(consumption.mutable_time_frame(), absl::ZeroDuration(),
           absl::Hours(1));
  v1::EnvironmentConsumption* e = consumption.add_environments();
  e->set_environment_id("env-1");
  e->set_rum_sessions(120);
  v1::SyntheticMonitorConsumption* monitor = e->add_synthetic_monitors();
  monitor->set_monitor_id("monitor-1");
  monitor->set_success_count(10);
  v1::HostConsumption* host = e->add_hosts();
  host->set_host_id("host-1");
  host->set_host_category(v1::HOST_CATEGORY_FULL_STACK);
  host->set_memory_bytes(int64_t{16} << 30);
  SetFrame(host->add_monitored(), absl::Minutes(1), absl::Hours(1));
  v1::MeterConsumption* meter = e->add_meters();
  meter->set_meter_id("meter-1");
  meter->set_quantity(5);
  return consumption;
}

TEST(ConsumptionRules, ValidReportPasses) {
  EXPECT_TRUE(CheckConsumption(Valid()).ok());
  v1::Consumption second = Valid();
  second.add_environments()->CopyFrom(second.environments(0));
  second.mutable_environments(1)->set_environment_id("env-2");
  EXPECT_TRUE(CheckConsumption(second).ok())
      << "the same host in another environment is another host";
}

struct Case {
  std::string name;
  v1::ErrorReason reason;
  std::function<void(v1::Consumption&)> spoil;
};

v1::EnvironmentConsumption& Environment(v1::Consumption& c) {
  return *c.mutable_environments(0);
}

TEST(ConsumptionRules, InvalidReportsHaveTheirReasons) {
  constexpr auto kFrame = v1::ERROR_REASON_TIME_FRAME_INVALID;
  constexpr auto kField = v1::ERROR_REASON_INVALID_FIELD;
  const Case cases[] = {
      {"no frame", kFrame, [](auto& c) { c.clear_time_frame(); }},
      {"end before start", kFrame,
       [](auto& c) {
         SetFrame(c.mutable_time_frame(), absl::Minutes(2), absl::Minutes(1));
       }},
      {"empty frame", kFrame,
       [](auto& c) {
         SetFrame(c.mutable_time_frame(), absl::Minutes(2), absl::Minutes(2));
       }},
      {"across an hour", kFrame,
       [](auto& c) {
         SetFrame(c.mutable_time_frame(), absl::ZeroDuration(),
                  absl::Hours(1) + absl::Nanoseconds(1));
       }},
      {"begins in the hour before", kFrame,
       [](auto& c) {
         SetFrame(c.mutable_time_frame(), -absl::Nanoseconds(1),
                  absl::Hours(1));
       }},
      {"monitored before the frame", kFrame,
       [](auto& c) {
         SetFrame(Environment(c).mutable_hosts(0)->mutable_monitored(0),
                  -absl::Seconds(1), absl::Minutes(1));
       }},
      {"monitored after the frame", kFrame,
       [](auto& c) {
         SetFrame(Environment(c).mutable_hosts(0)->mutable_monitored(0),
                  absl::Seconds(1), absl::Minutes(61));
       }},
      {"monitored backwards", kFrame,
       [](auto& c) {
         SetFrame(Environment(c).mutable_hosts(0)->mutable_monitored(0),
                  absl::Minutes(2), absl::Minutes(1));
       }},
      {"environment twice", kField,
       [](auto& c) {
         const v1::EnvironmentConsumption copy = c.environments(0);
         *c.add_environments() = copy;
       }},
      {"environment without ID", kField,
       [](auto& c) { Environment(c).clear_environment_id(); }},
      {"host twice", kField,
       [](auto& c) {
         const v1::HostConsumption copy = Environment(c).hosts(0);
         *Environment(c).add_hosts() = copy;
       }},
      {"monitor twice", kField,
       [](auto& c) {
         const auto copy = Environment(c).synthetic_monitors(0);
         *Environment(c).add_synthetic_monitors() = copy;
       }},
      {"meter twice", kField,
       [](auto& c) {
         const v1::MeterConsumption copy = Environment(c).meters(0);
         *Environment(c).add_meters() = copy;
       }},
      {"host without category", kField,
       [](auto& c) { Environment(c).mutable_hosts(0)->clear_host_category(); }},
      {"memory without end", kField,
       [](auto& c) {
         Environment(c).mutable_hosts(0)->set_memory_bytes(
             kMaxMemoryBytesPerHost + 1);
       }},
      {"too many sessions", kField,
       [](auto& c) {
         Environment(c).set_rum_sessions(kMaxQuantityPerReport + 1);
       }},
      {"too many sessions over environments", kField,
       [](auto& c) {
         Environment(c).set_rum_sessions(kMaxQuantityPerReport);
         v1::EnvironmentConsumption* second = c.add_environments();
         second->set_environment_id("env-2");
         second->set_rum_sessions(1);
       }},
      {"successes and failures together too many", kField,
       [](auto& c) {
         auto* monitor = Environment(c).mutable_synthetic_monitors(0);
         monitor->set_success_count(kMaxQuantityPerReport);
         monitor->set_failure_count(1);
       }},
      {"negative meter", kField,
       [](auto& c) { Environment(c).mutable_meters(0)->set_quantity(-1); }},
  };
  for (const Case& c : cases) {
    v1::Consumption consumption = Valid();
    c.spoil(consumption);
    const absl::Status status = CheckConsumption(consumption);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << c.name << ": " << status;
    EXPECT_EQ(ReasonOf(status), c.reason) << c.name << ": " << status;
  }
}

}  // namespace
}  // namespace mc::service

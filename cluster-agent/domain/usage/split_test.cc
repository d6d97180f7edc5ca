#include "cluster-agent/domain/usage/split.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::EnvironmentConsumption;
using missioncontrol::v1::HostConsumption;

Consumption Large(int environments, int entries) {
  Consumption consumption;
  consumption.set_cluster_id("cluster");
  consumption.mutable_time_frame()->mutable_end()->set_seconds(3600);
  for (int e = 0; e < environments; ++e) {
    EnvironmentConsumption& environment = *consumption.add_environments();
    environment.set_environment_id("env-" + std::to_string(e));
    environment.set_new_problems(e + 1);
    environment.set_rum_sessions(2 * e + 1);
    for (int i = 0; i < entries; ++i) {
      auto& monitor = *environment.add_synthetic_monitors();
      monitor.set_monitor_id("m" + std::to_string(i));
      monitor.set_description(std::string(i % 500, 'x'));
      monitor.set_success_count(i);
      auto& host = *environment.add_hosts();
      host.set_host_id("h" + std::to_string(i));
      host.set_memory_bytes(i);
      host.add_monitored()->mutable_end()->set_seconds(60);
      auto& meter = *environment.add_meters();
      meter.set_meter_id("q" + std::to_string(i));
      meter.set_quantity(i);
    }
  }
  return consumption;
}

// Puts parts together again; fails where something stands in two of them.
Consumption Joined(const std::vector<Consumption>& parts) {
  Consumption whole;
  whole.set_cluster_id(parts[0].cluster_id());
  *whole.mutable_time_frame() = parts[0].time_frame();
  for (const Consumption& part : parts) {
    EXPECT_EQ(part.cluster_id(), whole.cluster_id());
    EXPECT_EQ(part.time_frame().end().seconds(),
              whole.time_frame().end().seconds());
    for (const EnvironmentConsumption& environment : part.environments()) {
      if (whole.environments_size() == 0 ||
          whole.environments().rbegin()->environment_id() !=
              environment.environment_id()) {
        *whole.add_environments() = environment;
        continue;
      }
      EXPECT_EQ(environment.new_problems(), 0);
      EXPECT_EQ(environment.rum_sessions(), 0);
      whole.mutable_environments()->rbegin()->MergeFrom(environment);
    }
  }
  return whole;
}

// Without printing megabytes.
void ExpectSame(const Consumption& a, const Consumption& b) {
  EXPECT_TRUE(a.SerializeAsString() == b.SerializeAsString());
}

TEST(SplitConsumption, SmallOneStaysWhole) {
  const Consumption consumption = Large(2, 3);
  const auto parts = SplitConsumption(consumption, kDefaultMaxReportBytes);
  ASSERT_EQ(parts.size(), 1);
  EXPECT_EQ(parts[0].SerializeAsString(), consumption.SerializeAsString());
}

TEST(SplitConsumption, PartsAreSmallAndLoseNothingAndDoubleNothing) {
  for (const auto& [environments, entries] :
       std::map<int, int>{{1, 2000}, {20, 100}, {3000, 1}, {7000, 0}}) {
    const Consumption consumption = Large(environments, entries);
    const auto parts = SplitConsumption(consumption, kMinMaxReportBytes);
    EXPECT_GT(parts.size(), 1);
    for (const Consumption& part : parts) {
      EXPECT_LE(part.ByteSizeLong(), kMinMaxReportBytes);
      EXPECT_GT(part.environments_size(), 0);
    }
    ExpectSame(Joined(parts), consumption);
  }
}

TEST(SplitConsumption, ListsStayWithinTheServicesBound) {
  Consumption consumption = Large(1, 0);
  EnvironmentConsumption& environment = *consumption.mutable_environments(0);
  for (int i = 0; i < 25'000; ++i) {
    environment.add_meters()->set_meter_id("q" + std::to_string(i));
  }
  const auto parts = SplitConsumption(consumption, kDefaultMaxReportBytes);
  ASSERT_EQ(parts.size(), 3);
  ExpectSame(Joined(parts), consumption);
}

TEST(SplitConsumption, HostOfManyIntervalsComesOncePerReport) {
  Consumption consumption = Large(1, 1);
  HostConsumption& host =
      *consumption.mutable_environments(0)->mutable_hosts(0);
  for (int i = 1; i < 2000; ++i) {
    host.add_monitored()->mutable_start()->set_nanos(i);
  }
  for (int i = 0; i < 300; ++i) host.add_technologies(std::to_string(i));
  const auto parts = SplitConsumption(consumption, kDefaultMaxReportBytes);
  std::set<int> nanos;
  int intervals = 0;
  int technologies = 0;
  for (const Consumption& part : parts) {
    ASSERT_LE(part.environments(0).hosts_size(), 1);
    for (const HostConsumption& piece : part.environments(0).hosts()) {
      EXPECT_EQ(piece.memory_bytes(), host.memory_bytes());
      technologies += piece.technologies_size();
      intervals += piece.monitored_size();
      for (const auto& interval : piece.monitored()) {
        nanos.insert(interval.start().nanos());
      }
    }
  }
  EXPECT_EQ(intervals, 2000);
  EXPECT_EQ(nanos.size(), 2000);
  EXPECT_EQ(technologies, 300);
}

TEST(SplitConsumption, MeterOfTwoUnitsComesOncePerReport) {
  Consumption consumption = Large(1, 1);
  EnvironmentConsumption& environment = *consumption.mutable_environments(0);
  environment.mutable_meters(0)->set_unit("bytes");
  auto& other = *environment.add_meters();
  other.set_meter_id(environment.meters(0).meter_id());
  other.set_unit("calls");
  const auto parts = SplitConsumption(consumption, kDefaultMaxReportBytes);
  ASSERT_EQ(parts.size(), 2);
  ExpectSame(Joined(parts), consumption);
}

}  // namespace
}  // namespace mc::agent

#include "cluster-agent/domain/usage/frame_usage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cluster-agent/domain/usage/check.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::HOST_CATEGORY_FULL_STACK;
using missioncontrol::v1::HOST_CATEGORY_INFRASTRUCTURE;
using missioncontrol::v1::UsageRecord;

const absl::Time kTen = absl::FromUnixSeconds(1777888800);
const TimeFrame kFrame = {kTen, kTen + absl::Hours(1)};

absl::Time At(int minutes) { return kTen + absl::Minutes(minutes); }

UsageRecord Record(const std::string& environment, absl::Time at) {
  UsageRecord record;
  record.set_environment_id(environment);
  *record.mutable_used_at() = mc::ToProto(at);
  return record;
}

UsageRecord Sessions(const std::string& environment, int64_t count) {
  UsageRecord record = Record(environment, At(1));
  record.set_rum_sessions(count);
  return record;
}

UsageRecord Meter(const std::string& unit, int64_t quantity) {
  UsageRecord record = Record("env", At(1));
  record.mutable_meter()->set_meter_id("meter");
  record.mutable_meter()->set_unit(unit);
  record.mutable_meter()->set_quantity(quantity);
  return record;
}

UsageRecord Host(absl::Time start, absl::Time end, int64_t memory,
                 const std::string& technology) {
  UsageRecord record;
  record.set_environment_id("env");
  record.mutable_host()->set_host_id("host");
  record.mutable_host()->set_host_category(HOST_CATEGORY_FULL_STACK);
  record.mutable_host()->set_memory_bytes(memory);
  record.mutable_host()->add_technologies(technology);
  *record.mutable_host()->mutable_monitored() = ToProto(TimeFrame{start, end});
  return record;
}

Consumption Build(const std::vector<UsageRecord>& records,
                  const std::vector<std::string>& environments = {}) {
  return BuildConsumption("cluster", kFrame, records, environments).value();
}

TEST(FrameUsage, CountsAreSummedUpPerEnvironment) {
  UsageRecord problems = Record("b", At(2));
  problems.set_new_problems(4);
  const Consumption c =
      Build({Sessions("b", 1), Sessions("a", 10), Sessions("b", 2), problems});
  EXPECT_EQ(c.cluster_id(), "cluster");
  EXPECT_EQ(mc::FromProto(c.time_frame().start()).value(), kFrame.start);
  EXPECT_EQ(mc::FromProto(c.time_frame().end()).value(), kFrame.end);
  ASSERT_EQ(c.environments_size(), 2);
  EXPECT_EQ(c.environments(0).environment_id(), "a");
  EXPECT_EQ(c.environments(0).rum_sessions(), 10);
  EXPECT_EQ(c.environments(1).rum_sessions(), 3);
  EXPECT_EQ(c.environments(1).new_problems(), 4);
}

TEST(FrameUsage, KnownEnvironmentAppearsWithZeros) {
  const Consumption c = Build({Sessions("b", 1)}, {"c", "a"});
  ASSERT_EQ(c.environments_size(), 3);
  EXPECT_EQ(c.environments(0).environment_id(), "a");
  EXPECT_EQ(c.environments(0).rum_sessions(), 0);
  EXPECT_EQ(c.environments(2).environment_id(), "c");
}

TEST(FrameUsage, MonitorIsOneEntryWithTheLastDescription) {
  UsageRecord first = Record("env", At(1));
  first.mutable_synthetic()->set_monitor_id("m");
  first.mutable_synthetic()->set_description("old");
  first.mutable_synthetic()->set_success_count(1);
  first.mutable_synthetic()->set_failure_count(2);
  first.mutable_synthetic()->set_action_count(3);
  UsageRecord second = first;
  second.mutable_synthetic()->set_description("new");
  const Consumption c = Build({first, second});
  ASSERT_EQ(c.environments(0).synthetic_monitors_size(), 1);
  const auto& monitor = c.environments(0).synthetic_monitors(0);
  EXPECT_EQ(monitor.description(), "new");
  EXPECT_EQ(monitor.success_count(), 2);
  EXPECT_EQ(monitor.failure_count(), 4);
  EXPECT_EQ(monitor.action_count(), 6);
}

TEST(FrameUsage, HostCountsOnceHoweverOftenItIsReported) {
  UsageRecord last = Host(At(5), At(20), 8, "JAVA");
  last.mutable_host()->set_host_category(HOST_CATEGORY_INFRASTRUCTURE);
  const Consumption c = Build({Host(At(0), At(10), 16, "NGINX"),
                               Host(At(30), At(40), 4, "JAVA"), last});
  ASSERT_EQ(c.environments(0).hosts_size(), 1);
  const auto& host = c.environments(0).hosts(0);
  EXPECT_EQ(host.memory_bytes(), 16);
  EXPECT_EQ(host.host_category(), HOST_CATEGORY_INFRASTRUCTURE);
  ASSERT_EQ(host.technologies_size(), 2);
  EXPECT_EQ(host.technologies(0), "JAVA");
  ASSERT_EQ(host.monitored_size(), 2);
  EXPECT_EQ(mc::FromProto(host.monitored(0).start()).value(), At(0));
  EXPECT_EQ(mc::FromProto(host.monitored(0).end()).value(), At(20));
}

TEST(FrameUsage, OnlyTheFramesPartOfAnIntervalIsTaken) {
  const Consumption c = Build({Host(At(-90), At(150), 1, "JAVA")});
  const auto& host = c.environments(0).hosts(0);
  ASSERT_EQ(host.monitored_size(), 1);
  EXPECT_EQ(mc::FromProto(host.monitored(0).start()).value(), kFrame.start);
  EXPECT_EQ(mc::FromProto(host.monitored(0).end()).value(), kFrame.end);
}

TEST(FrameUsage, ManyIntervalsOfOneHostStayOne) {
  std::vector<UsageRecord> records;
  for (int second = 0; second < 3600; ++second) {
    records.push_back(Host(kTen + absl::Seconds(second),
                           kTen + absl::Seconds(second + 1), 1, "JAVA"));
  }
  EXPECT_EQ(Build(records).environments(0).hosts(0).monitored_size(), 1);
}

TEST(FrameUsage, MetersOfDifferentUnitsAreNotSummedUp) {
  const Consumption c =
      Build({Meter("calls", 1), Meter("bytes", 5), Meter("calls", 2)});
  ASSERT_EQ(c.environments(0).meters_size(), 2);
  EXPECT_EQ(c.environments(0).meters(0).unit(), "bytes");
  EXPECT_EQ(c.environments(0).meters(0).quantity(), 5);
  EXPECT_EQ(c.environments(0).meters(1).quantity(), 3);
}

TEST(FrameUsage, OrderOfRecordsDoesNotMatter) {
  std::vector<UsageRecord> records = {
      Sessions("b", 1), Meter("calls", 2), Host(At(0), At(9), 2, "JAVA"),
      Host(At(5), At(20), 1, "NGINX"), Sessions("a", 7)};
  const std::string bytes = Build(records).SerializeAsString();
  std::reverse(records.begin(), records.end());
  EXPECT_EQ(Build(records).SerializeAsString(), bytes);
}

TEST(FrameUsage, WhatNoReportMayCarryIsRefusedAndChangesNothing) {
  FrameUsage usage(kFrame);
  ASSERT_TRUE(usage.Add(Sessions("a", kMaxQuantityPerReport - 1)).ok());
  const std::string before = usage.Build("cluster").SerializeAsString();
  EXPECT_TRUE(absl::IsOutOfRange(usage.Add(Sessions("b", 2))));
  EXPECT_EQ(usage.Build("cluster").SerializeAsString(), before);
  EXPECT_TRUE(usage.Add(Sessions("b", 1)).ok());
  ASSERT_TRUE(usage.Add(Meter("calls", kMaxQuantityPerReport)).ok());
  EXPECT_TRUE(absl::IsOutOfRange(usage.Add(Meter("calls", 1))));
}

TEST(FrameUsage, RecordOutsideOfTheFrameIsRefused) {
  FrameUsage usage(kFrame);
  UsageRecord late = Record("env", kFrame.end);
  late.set_rum_sessions(1);
  EXPECT_TRUE(absl::IsInvalidArgument(usage.Add(late)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      usage.Add(Host(kFrame.end, kFrame.end + absl::Hours(1), 1, "JAVA"))));
  EXPECT_TRUE(absl::IsInvalidArgument(usage.Add(Record("env", At(1)))));
  EXPECT_EQ(usage.Build("cluster").environments_size(), 0);
}

}  // namespace
}  // namespace mc::agent

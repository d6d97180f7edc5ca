#include "mc-service/domain/consumption/balance.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "common/time/proto_time.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

class BalanceTest : public testing::Test {
 protected:
  void SetUp() override {
    license_ = SeedLicense(hour_ - absl::Hours(24 * 30));
    license_.limits.set_overage(v1::OVERAGE_RULE_ALLOWED);
  }

  // One report of one hour; its environment is "env-1".
  v1::Consumption Usage(int hours_later = 0) {
    v1::Consumption consumption;
    consumption.set_cluster_id("c-1");
    const absl::Time start = hour_ + absl::Hours(hours_later);
    *consumption.mutable_time_frame()->mutable_start() = ToProto(start);
    *consumption.mutable_time_frame()->mutable_end() =
        ToProto(start + absl::Hours(1));
    consumption.add_environments()->set_environment_id("env-1");
    return consumption;
  }

  void AddHost(v1::Consumption& consumption, const std::string& id,
               int64_t memory, int from_minute, int to_minute) {
    v1::HostConsumption* host =
        consumption.mutable_environments(0)->add_hosts();
    host->set_host_id(id);
    host->set_host_category(v1::HOST_CATEGORY_FULL_STACK);
    host->set_memory_bytes(memory);
    v1::TimeFrame* frame = host->add_monitored();
    const absl::Time start =
        FromProto(consumption.time_frame().start()).value();
    *frame->mutable_start() = ToProto(start + absl::Minutes(from_minute));
    *frame->mutable_end() = ToProto(start + absl::Minutes(to_minute));
  }

  v1::ConsumptionResult Record(const v1::Consumption& consumption,
                               const std::string& cluster = "c-1") {
    if (sequence_ == 0) {
      EXPECT_TRUE(Seed(store_, license_, {"c-1", "c-2"}).ok());
    }
    StoredConsumption stored;
    stored.key = {.cluster_id = cluster,
                  .lane = v1::LANE_BILLING,
                  .epoch = 1,
                  .sequence = ++sequence_};
    stored.license_id = license_.id;
    stored.accepted_at = hour_;
    stored.consumption = consumption;
    v1::ConsumptionResult result;
    const absl::Status status =
        store_.WriteAndWait([&](Writer& writer) -> absl::Status {
          auto recorded = RecordConsumption(writer, license_, stored);
          if (!recorded.ok()) return recorded.status();
          result = *recorded;
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return result;
  }

  // 2026-11-21T10:00:00Z.
  const absl::Time hour_ = absl::FromUnixSeconds(1'795'255'200);
  License license_;
  FakeStore store_;
  uint64_t sequence_ = 0;
};

TEST_F(BalanceTest, WithoutLimitsNothingIsLeftToSay) {
  v1::Consumption usage = Usage();
  usage.mutable_environments(0)->set_rum_sessions(120);
  const v1::ConsumptionResult result = Record(usage);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_USING_QUOTA);
  EXPECT_FALSE(result.has_remaining_rum_sessions());
  EXPECT_FALSE(result.has_remaining_synthetic_executions());
  EXPECT_EQ(result.consumed_rum_overage(), 0);
  ASSERT_EQ(result.environments_size(), 1);
  EXPECT_EQ(result.environments(0).environment_id(), "env-1");
  EXPECT_EQ(result.environments(0).consumed_rum_sessions(), 120);
  EXPECT_EQ(absl::FromUnixSeconds(result.period().start().seconds()),
            absl::FromCivil(absl::CivilDay(2026, 11, 1), absl::UTCTimeZone()));
}

TEST_F(BalanceTest, SessionsOfAllClustersCountAgainstTheLimit) {
  license_.limits.set_rum_sessions(100);
  v1::Consumption usage = Usage();
  usage.mutable_environments(0)->set_rum_sessions(60);
  v1::ConsumptionResult result = Record(usage, "c-1");
  EXPECT_EQ(result.remaining_rum_sessions(), 40);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_USING_QUOTA);
  usage.mutable_environments(0)->set_rum_sessions(40);
  usage.mutable_environments(0)->set_environment_id("env-2");
  result = Record(usage, "c-2");
  EXPECT_TRUE(result.has_remaining_rum_sessions());
  EXPECT_EQ(result.remaining_rum_sessions(), 0);
  EXPECT_EQ(result.consumed_rum_overage(), 0);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_QUOTA_REACHED);
  EXPECT_EQ(result.environments(0).consumed_rum_sessions(), 40);
  usage.mutable_environments(0)->set_rum_sessions(7);
  result = Record(usage, "c-2");
  EXPECT_EQ(result.remaining_rum_sessions(), 0);
  EXPECT_EQ(result.consumed_rum_overage(), 7);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_USING_OVERAGE);
}

TEST_F(BalanceTest, OverageThatIsNotAllowedStaysAtTheQuota) {
  license_.limits.set_rum_sessions(10);
  license_.limits.set_overage(v1::OVERAGE_RULE_NOT_ALLOWED);
  v1::Consumption usage = Usage();
  usage.mutable_environments(0)->set_rum_sessions(15);
  const v1::ConsumptionResult result = Record(usage);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_QUOTA_REACHED);
  EXPECT_EQ(result.consumed_rum_overage(), 5);
}

TEST_F(BalanceTest, SubscriptionAlwaysHasOverage) {
  license_.model = v1::LICENSE_MODEL_SUBSCRIPTION;
  license_.limits.set_rum_sessions(10);
  license_.limits.set_overage(v1::OVERAGE_RULE_NOT_ALLOWED);
  v1::Consumption usage = Usage();
  usage.mutable_environments(0)->set_rum_sessions(15);
  EXPECT_EQ(Record(usage).state(), v1::USAGE_STATE_USING_OVERAGE);
}

TEST_F(BalanceTest, SyntheticExecutionsAreSuccessesAndFailures) {
  license_.limits.set_synthetic_executions(10);
  v1::Consumption usage = Usage();
  v1::SyntheticMonitorConsumption* monitor =
      usage.mutable_environments(0)->add_synthetic_monitors();
  monitor->set_monitor_id("m-1");
  monitor->set_success_count(3);
  monitor->set_failure_count(4);
  monitor->set_action_count(100);
  const v1::ConsumptionResult result = Record(usage);
  EXPECT_EQ(result.remaining_synthetic_executions(), 3);
  EXPECT_EQ(result.environments(0).consumed_synthetic_executions(), 7);
}

TEST_F(BalanceTest, HostCountsFromFiveMinutesOverAllReportsOfTheHour) {
  v1::Consumption first = Usage();
  AddHost(first, "host-1", 16 * kGiB, 0, 3);
  EXPECT_EQ(Record(first).environments(0).host_units_milli(), 0);
  v1::Consumption overlap = Usage();
  AddHost(overlap, "host-1", 16 * kGiB, 1, 4);
  EXPECT_EQ(Record(overlap).environments(0).host_units_milli(), 0)
      << "three and three minutes that overlap are four";
  v1::Consumption second = Usage();
  AddHost(second, "host-1", 16 * kGiB, 30, 31);
  EXPECT_EQ(Record(second).environments(0).host_units_milli(), 1000);
  EXPECT_EQ(Record(second).environments(0).host_units_milli(), 1000)
      << "a host counts once in an hour";
}

TEST_F(BalanceTest, HostUnitOverageIsSummedByHour) {
  license_.limits.set_host_units_milli(1500);
  v1::Consumption first = Usage();
  AddHost(first, "host-1", 16 * kGiB, 0, 60);
  AddHost(first, "host-2", 16 * kGiB, 0, 60);
  v1::ConsumptionResult result = Record(first);
  EXPECT_EQ(result.host_unit_hours_overage_milli(), 500);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_USING_OVERAGE);
  v1::Consumption second = Usage(1);
  AddHost(second, "host-1", 16 * kGiB, 0, 60);
  result = Record(second);
  EXPECT_EQ(result.host_unit_hours_overage_milli(), 500)
      << "an hour below the limit makes up for none above it";
  v1::Consumption third = Usage(2);
  AddHost(third, "host-1", 64 * kGiB, 0, 60);
  result = Record(third);
  EXPECT_EQ(result.host_unit_hours_overage_milli(), 500 + 2500);
  EXPECT_EQ(result.environments(0).host_units_milli(), 4000);
}

TEST_F(BalanceTest, MetersWithALimitOrUsageAreListedInOrder) {
  v1::MeterLimit* limit = license_.limits.add_meters();
  limit->set_meter_id("logs");
  limit->set_unit("GiB");
  limit->set_quantity(10);
  limit->set_overage(v1::OVERAGE_RULE_ALLOWED);
  limit = license_.limits.add_meters();
  limit->set_meter_id("unused");
  limit->set_unit("1");
  limit->set_quantity(5);
  v1::Consumption usage = Usage();
  const struct {
    const char* id;
    const char* unit;
    int64_t quantity;
  } used[] = {{"logs", "GiB", 12}, {"api-calls", "1", 3}};
  for (const auto& u : used) {
    v1::MeterConsumption* meter = usage.mutable_environments(0)->add_meters();
    meter->set_meter_id(u.id);
    meter->set_unit(u.unit);
    meter->set_quantity(u.quantity);
  }
  const v1::ConsumptionResult result = Record(usage);
  ASSERT_EQ(result.meters_size(), 3);
  EXPECT_EQ(result.meters(0).meter_id(), "api-calls");
  EXPECT_EQ(result.meters(0).consumed(), 3);
  EXPECT_FALSE(result.meters(0).has_remaining());
  EXPECT_EQ(result.meters(1).meter_id(), "logs");
  EXPECT_EQ(result.meters(1).remaining(), 0);
  EXPECT_EQ(result.meters(1).overage(), 2);
  EXPECT_EQ(result.meters(1).state(), v1::USAGE_STATE_USING_OVERAGE);
  EXPECT_EQ(result.meters(2).meter_id(), "unused");
  EXPECT_EQ(result.meters(2).remaining(), 5);
  EXPECT_EQ(result.state(), v1::USAGE_STATE_USING_OVERAGE);
  EXPECT_EQ(result.environments(0).meters_size(), 2);
}

TEST_F(BalanceTest, LateUsageCountsInThePeriodInWhichItHappened) {
  license_.limits.set_rum_sessions(100);
  v1::Consumption now = Usage();
  now.mutable_environments(0)->set_rum_sessions(90);
  Record(now);
  v1::Consumption late = Usage(-24 * 25);
  late.mutable_environments(0)->set_rum_sessions(5);
  const v1::ConsumptionResult result = Record(late);
  EXPECT_EQ(result.remaining_rum_sessions(), 95);
  EXPECT_EQ(absl::FromUnixSeconds(result.period().end().seconds()),
            absl::FromCivil(absl::CivilDay(2026, 11, 1), absl::UTCTimeZone()));
}

TEST_F(BalanceTest, WithoutAnHourTheLastOneOfThePeriodIsShown) {
  v1::Consumption first = Usage();
  AddHost(first, "host-1", 16 * kGiB, 0, 60);
  Record(first);
  v1::Consumption second = Usage(1);
  AddHost(second, "host-1", 32 * kGiB, 0, 60);
  Record(second);
  absl::StatusOr<v1::ConsumptionResult> result;
  ASSERT_TRUE(store_
                  .Read([&](Reader& reader) {
                    result = Balance(reader, license_, hour_, "c-1", {"env-1"});
                    return result.status();
                  })
                  .ok());
  EXPECT_EQ(result->environments(0).host_units_milli(), 2000);
}

}  // namespace
}  // namespace mc::service

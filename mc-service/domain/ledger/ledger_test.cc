#include "mc-service/domain/ledger/ledger.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "mc-service/domain/consumption/host_units.h"
#include "mc-service/domain/ledger/fixture.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    license_ = SeedLicense(TestHour() - absl::Hours(24 * 30));
    license_.limits.set_overage(v1::OVERAGE_RULE_ALLOWED);
    license_.limits.set_host_units_milli(1500);
    EXPECT_TRUE(Seed(store_, license_, {"c-1", "c-2"}).ok());
    options_.on_overlap = [this](Writer&, const UsageOverlap& overlap) {
      overlaps_.push_back(overlap);
      return absl::OkStatus();
    };
  }
  ~LedgerTest() override { ExpectEqualLedger(store_); }

  v1::ConsumptionResult Sessions(uint64_t epoch, uint64_t sequence,
                                 int64_t sessions, int from_minute = 0,
                                 int minutes = 60,
                                 const std::string& cluster = "c-1") {
    StoredConsumption report = MakeReport(
        cluster, epoch, sequence, TestHour() + absl::Minutes(from_minute),
        absl::Minutes(minutes));
    Environment(report).set_rum_sessions(sessions);
    return Record(store_, report, options_);
  }

  v1::ConsumptionResult Host(uint64_t epoch, uint64_t sequence, int from,
                             int to, int64_t memory = 16 * kGiB,
                             int frame_minutes = 60) {
    const absl::Time start =
        TestHour() + absl::Minutes(from / frame_minutes * frame_minutes);
    StoredConsumption report =
        MakeReport("c-1", epoch, sequence, start, absl::Minutes(frame_minutes));
    AddHost(report, "host-1", memory, TestHour() + absl::Minutes(from),
            TestHour() + absl::Minutes(to));
    return Record(store_, report, options_);
  }

  int64_t Consumed(const v1::ConsumptionResult& result) {
    return result.environments(0).consumed_rum_sessions();
  }

  License Update(const v1::LicenseLimits& limits, absl::Time at) {
    license_.limits = limits;
    EXPECT_TRUE(store_
                    .WriteAndWait([&](Writer& writer) -> absl::Status {
                      const auto terms = writer.ListLicenseTerms(license_.id);
                      absl::Status done = writer.UpdateLicense(license_, at);
                      return done.ok() ? ApplyTerms(writer, license_, *terms)
                                       : done;
                    })
                    .ok());
    return license_;
  }

  FakeStore store_;
  License license_;
  LedgerOptions options_;
  std::vector<UsageOverlap> overlaps_;
};

TEST_F(LedgerTest, EveryMeterHasItsEntry) {
  StoredConsumption report =
      MakeReport("c-1", 1, 1, TestHour(), absl::Minutes(30));
  v1::EnvironmentConsumption& e = Environment(report);
  e.set_rum_sessions(3);
  e.set_new_problems(2);
  for (int i = 0; i < 2; ++i) {
    auto& monitor = *e.add_synthetic_monitors();
    monitor.set_monitor_id(absl::StrCat("m-", i));
    monitor.set_success_count(10 + i);
    monitor.set_failure_count(1);
    auto& meter = *e.add_meters();
    meter.set_meter_id("storage");
    meter.set_unit(i == 0 ? "GiB" : "objects");
    meter.set_quantity(7 + i);
  }
  e.add_meters()->set_meter_id("unused");
  AddHost(report, "host-1", 16 * kGiB, TestHour(),
          TestHour() + absl::Minutes(5));
  AddHost(report, "host-2", 16 * kGiB, TestHour(),
          TestHour() + absl::Minutes(5) - absl::Nanoseconds(1));
  Record(store_, report);
  std::map<std::tuple<int, std::string, std::string, std::string>, int64_t>
      found;
  for (const LedgerEntry& entry : AllEntries(store_)) {
    const UsageIdentity& id = entry.identity;
    EXPECT_EQ(id.environment_id, "env-1");
    EXPECT_EQ(entry.account_id, "account-1");
    EXPECT_EQ(entry.start, TestHour());
    EXPECT_EQ(entry.end - entry.start,
              id.meter == v1::METER_HOST_UNIT_HOURS_MILLI ? absl::Hours(1)
                                                          : absl::Minutes(30));
    EXPECT_EQ(entry.sequence, 1u);
    EXPECT_EQ(entry.accepted_at, report.accepted_at);
    found[{id.meter, id.meter_id, id.unit, id.resource_id}] = entry.quantity;
  }
  const decltype(found) expected = {
      {{v1::METER_RUM_SESSIONS, "", "", ""}, 3},
      {{v1::METER_PROBLEMS, "", "", ""}, 2},
      {{v1::METER_SYNTHETIC_EXECUTIONS, "", "", "m-0"}, 11},
      {{v1::METER_SYNTHETIC_EXECUTIONS, "", "", "m-1"}, 12},
      {{v1::METER_GENERIC, "storage", "GiB", ""}, 7},
      {{v1::METER_GENERIC, "storage", "objects", ""}, 8},
      {{v1::METER_HOST_UNIT_HOURS_MILLI, "", "", "host-1"}, 1000}};
  EXPECT_EQ(found, expected);
}

TEST_F(LedgerTest, LateUsageOfTheSameEpochIsAdded) {
  EXPECT_EQ(Consumed(Sessions(1, 1, 100)), 100);
  EXPECT_EQ(Consumed(Sessions(1, 2, 5)), 105);
  ASSERT_EQ(AllEntries(store_).size(), 1u);
  EXPECT_EQ(AllEntries(store_)[0].sequence, 2u);
  EXPECT_TRUE(overlaps_.empty());
}

TEST_F(LedgerTest, FrameOfAnotherEpochIsMergedAndFlagged) {
  Sessions(1, 1, 100);
  EXPECT_EQ(Consumed(Sessions(2, 1, 80)), 100);
  ASSERT_EQ(overlaps_.size(), 1u);
  EXPECT_EQ(overlaps_[0].key.epoch, 2u);
  EXPECT_EQ(overlaps_[0].identities, 1);
  EXPECT_EQ(overlaps_[0].start, TestHour());
  EXPECT_NE(overlaps_[0].example.find("env-1"), std::string::npos);
  EXPECT_EQ(Consumed(Sessions(2, 2, 30)), 110) << "epoch 2 has more now";
  EXPECT_EQ(Consumed(Sessions(1, 2, 20)), 120) << "late usage of epoch 1";
  EXPECT_EQ(AllEntries(store_).size(), 1u);
}

TEST_F(LedgerTest, OverlapIsAFindingOfItsEpoch) {
  options_ = {};
  Sessions(1, 1, 100);
  Sessions(2, 1, 80);
  Sessions(2, 2, 80);
  const auto findings = ReadFrom(store_, [](Reader& reader) {
    return reader.ListFindings({.kind = v1::FINDING_KIND_USAGE_OVERLAP}, {});
  });
  ASSERT_EQ(findings.items.size(), 1u);
  EXPECT_EQ(findings.items[0].count, 2);
  EXPECT_EQ(findings.items[0].last.time_frame->start, TestHour());
}

TEST_F(LedgerTest, OtherUsageOfAnotherEpochIsNotLost) {
  Sessions(1, 1, 100);
  StoredConsumption other =
      MakeReport("c-1", 2, 1, TestHour(), absl::Hours(1), "env-2");
  Environment(other).set_rum_sessions(7);
  Record(store_, other, options_);
  EXPECT_EQ(Consumed(Sessions(2, 2, 11, 60)), 111) << "the hour after it";
  EXPECT_EQ(Consumed(Sessions(1, 1, 5, 0, 60, "c-2")), 5)
      << "clusters share nothing";
  EXPECT_TRUE(overlaps_.empty());
}

TEST_F(LedgerTest, ShortFramesAndALongOneAreMerged) {
  Sessions(1, 1, 10, 0, 30);
  Sessions(1, 2, 10, 30, 30);
  EXPECT_EQ(Consumed(Sessions(2, 1, 15)), 20);
  EXPECT_EQ(Consumed(Sessions(2, 2, 9)), 24);
  EXPECT_EQ(overlaps_.size(), 2u);
}

TEST_F(LedgerTest, OverlapThatCannotBeFlaggedUndoesTheReport) {
  Sessions(1, 1, 100);
  options_.on_overlap = [](Writer&, const UsageOverlap&) {
    return absl::UnavailableError("no room");
  };
  StoredConsumption report =
      MakeReport("c-1", 2, 1, TestHour(), absl::Hours(1));
  Environment(report).set_rum_sessions(500);
  EXPECT_FALSE(store_
                   .WriteAndWait([&](Writer& writer) {
                     return RecordConsumption(writer, license_, report,
                                              options_)
                         .status();
                   })
                   .ok());
  EXPECT_EQ(AllEntries(store_)[0].quantity, 100);
}

TEST_F(LedgerTest, HostIntervalsAreUnitedOverReportsAndEpochs) {
  EXPECT_EQ(Host(1, 1, 0, 3).environments(0).host_units_milli(), 0);
  EXPECT_EQ(Host(1, 2, 1, 4).environments(0).host_units_milli(), 0);
  EXPECT_TRUE(overlaps_.empty());
  EXPECT_EQ(Host(2, 1, 2, 4).environments(0).host_units_milli(), 0);
  ASSERT_EQ(overlaps_.size(), 1u);
  EXPECT_EQ(Host(2, 2, 30, 31).environments(0).host_units_milli(), 1000);
  EXPECT_EQ(overlaps_.size(), 1u) << "another minute is no overlap";
  ASSERT_EQ(AllEntries(store_).size(), 1u);
  EXPECT_EQ(AllEntries(store_)[0].epoch, 2u);
  EXPECT_EQ(AllEntries(store_)[0].sequence, 2u);
}

TEST_F(LedgerTest, HostCountsWithTheLargestWeightOfTheHour) {
  Host(1, 1, 0, 10, 32 * kGiB, 10);
  EXPECT_EQ(Host(1, 2, 10, 20, 8 * kGiB, 10).environments(0).host_units_milli(),
            2000);
  EXPECT_EQ(
      Host(1, 3, 20, 30, 64 * kGiB, 10).environments(0).host_units_milli(),
      4000);
  EXPECT_EQ(AllTotals(store_)[0].quantity, 4000);
}

TEST_F(LedgerTest, MinutesOfFramesThatFollowEachOtherAddUp) {
  Host(1, 2, 10, 12, 16 * kGiB, 10);
  Host(1, 1, 0, 2, 16 * kGiB, 10);
  EXPECT_EQ(
      Host(1, 3, 21, 22, 16 * kGiB, 10).environments(0).host_units_milli(),
      1000);
}

TEST_F(LedgerTest, OverageOfAnHourHasTheLimitOfThatHour) {
  EXPECT_EQ(Host(1, 1, 0, 60, 32 * kGiB).host_unit_hours_overage_milli(), 500);
  v1::LicenseLimits more = license_.limits;
  more.set_host_units_milli(4000);
  Update(more, TestHour() + absl::Hours(1) + absl::Minutes(30));
  EXPECT_EQ(Host(1, 2, 60, 120, 80 * kGiB).host_unit_hours_overage_milli(),
            500 + 1000)
      << "the higher limit holds in the hour of its beginning";
  v1::LicenseLimits less = license_.limits;
  less.set_host_units_milli(100);
  Update(less, TestHour() + absl::Hours(2) + absl::Minutes(30));
  EXPECT_EQ(Host(1, 3, 120, 180, 80 * kGiB).host_unit_hours_overage_milli(),
            1500 + 1000)
      << "the lower one from the next hour on";
  EXPECT_EQ(Host(1, 4, 180, 240, 16 * kGiB).host_unit_hours_overage_milli(),
            2500 + 900);
}

TEST_F(LedgerTest, HigherLimitHelpsInTheHourThatRuns) {
  EXPECT_EQ(Host(1, 1, 0, 10, 32 * kGiB, 10).host_unit_hours_overage_milli(),
            500);
  v1::LicenseLimits more = license_.limits;
  more.clear_host_units_milli();
  Update(more, TestHour() + absl::Minutes(15));
  EXPECT_EQ(Host(1, 2, 20, 30, 32 * kGiB, 10).host_unit_hours_overage_milli(),
            0);
}

TEST_F(LedgerTest, AnotherResetStartsFromNothing) {
  EXPECT_EQ(Consumed(Sessions(1, 1, 10)), 10);
  // A clock that is ahead reported already what is after the change.
  EXPECT_EQ(Consumed(Sessions(1, 2, 7, 120)), 17);
  Host(1, 3, 120, 180, 32 * kGiB);
  v1::LicenseLimits annual = license_.limits;
  annual.set_reset(v1::QUOTA_RESET_ANNUAL);
  const absl::Time at = TestHour() + absl::Hours(1);
  Update(annual, at);
  const v1::ConsumptionResult result = Sessions(1, 4, 1, 180);
  EXPECT_EQ(Consumed(result), 8);
  EXPECT_EQ(result.host_unit_hours_overage_milli(), 500);
  EXPECT_EQ(TimeOf(result.period().start()), at);
  const v1::ConsumptionResult late = Sessions(1, 5, 1);
  EXPECT_EQ(Consumed(late), 11);
  EXPECT_EQ(late.host_unit_hours_overage_milli(), 0);
  EXPECT_EQ(TimeOf(late.period().end()), at);
}

TEST_F(LedgerTest, ReportsAfterAChangeHaveTheNewLimits) {
  v1::LicenseLimits limits = license_.limits;
  limits.set_rum_sessions(100);
  Update(limits, TestHour() - absl::Hours(1));
  EXPECT_EQ(Sessions(1, 1, 60).remaining_rum_sessions(), 40);
  limits.set_rum_sessions(50);
  Update(limits, TestHour() + absl::Minutes(1));
  const v1::ConsumptionResult result = Sessions(1, 2, 1, 60);
  EXPECT_EQ(result.remaining_rum_sessions(), 0);
  EXPECT_EQ(result.consumed_rum_overage(), 11);
  // A period that was over by then keeps the limits of its end.
  EXPECT_FALSE(Sessions(1, 3, 30, -60 * 24 * 25).has_remaining_rum_sessions());
}

TEST_F(LedgerTest, MovedClusterKeepsWhatItUsedWhereItWas) {
  Sessions(1, 1, 10);
  Host(1, 2, 0, 3);
  License other = license_;
  other.id = "license-2";
  other.name = "Other";
  other.key_digest = std::string(32, 'x');
  ASSERT_TRUE(store_
                  .WriteAndWait([&](Writer& writer) {
                    return writer.InsertLicense(other);
                  })
                  .ok());
  StoredConsumption report =
      MakeReport("c-1", 1, 3, TestHour(), absl::Hours(1));
  report.license_id = "license-2";
  Environment(report).set_rum_sessions(4);
  Environment(report).set_new_problems(1);
  AddHost(report, "host-1", 16 * kGiB, TestHour() + absl::Minutes(10),
          TestHour() + absl::Minutes(20));
  Record(store_, report);
  std::map<std::pair<std::string, v1::Meter>, int64_t> totals;
  for (const UsageTotal& total : AllTotals(store_)) {
    totals[{total.license_id, total.meter}] = total.quantity;
  }
  const decltype(totals) expected = {
      {{"license-1", v1::METER_RUM_SESSIONS}, 14},
      {{"license-1", v1::METER_HOST_UNIT_HOURS_MILLI}, 1000},
      {{"license-2", v1::METER_PROBLEMS}, 1}};
  EXPECT_EQ(totals, expected);
}

}  // namespace
}  // namespace mc::service

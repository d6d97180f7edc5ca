// Reports: accepted ones, health, consumption and the sums over it.
#include <gmock/gmock.h>

#include <limits>

#include "mc-service/store/conformance.h"
#include "tests/support/message_filler.h"

namespace mc::service {
namespace {

using testing::Difference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MessageFiller;

constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr uint64_t kHugeEpoch = 0xfedc'ba98'7654'3210;

AcceptedReport MakeReport(const ReportKey& key) {
  return {key, std::string("\0digest", 7), std::string("receipt\0\xff", 9),
          absl::FromUnixMicros(1'777'000'000'000'001)};
}

v1::TimeFrame Interval(absl::Time start, absl::Duration length) {
  v1::TimeFrame interval;
  *interval.mutable_start() = ToTimestamp(start);
  *interval.mutable_end() = ToTimestamp(start + length);
  return interval;
}

}  // namespace

TEST_P(StoreConformance, AcceptedReportIsFoundByItsKeyOnce) {
  AddFleet();
  const auto report = MakeReport({"c1", v1::LANE_BILLING, kHugeEpoch, 5});
  WriteOk([&](Writer& w) { return w.InsertReport(report); });
  const auto read = Read([&](Reader& r) { return r.FindReport(report.key); });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->key.cluster_id, "c1");
  EXPECT_EQ(read->key.lane, v1::LANE_BILLING);
  EXPECT_EQ(read->key.epoch, kHugeEpoch);
  EXPECT_EQ(read->key.sequence, 5u);
  EXPECT_EQ(read->digest, report.digest);
  EXPECT_EQ(read->receipt, report.receipt);
  EXPECT_EQ(read->accepted_at, report.accepted_at);

  EXPECT_EQ(Write([&](Writer& w) { return w.InsertReport(report); }).code(),
            absl::StatusCode::kAlreadyExists);
  for (const ReportKey& other :
       std::vector<ReportKey>{{"c2", v1::LANE_BILLING, kHugeEpoch, 5},
                              {"c1", v1::LANE_EVENTS, kHugeEpoch, 5},
                              {"c1", v1::LANE_BILLING, kHugeEpoch + 1, 5},
                              {"c1", v1::LANE_BILLING, kHugeEpoch, 6}}) {
    EXPECT_EQ(
        Read([&](Reader& r) { return r.FindReport(other); }).status().code(),
        kNotFound);
  }
  EXPECT_EQ(Write([](Writer& w) {
              return w.InsertReport(MakeReport({"c9", v1::LANE_EVENTS, 1, 1}));
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, HighestSequenceOnlyRises) {
  AddFleet();
  const auto highest = [&](v1::Lane lane, uint64_t epoch) {
    return *Read(
        [&](Reader& r) { return r.HighestSequence("c1", lane, epoch); });
  };
  EXPECT_EQ(highest(v1::LANE_BILLING, kHugeEpoch), 0u);
  for (const uint64_t sequence : {2, 10, 9}) {
    WriteOk([&](Writer& w) {
      return w.InsertReport(
          MakeReport({"c1", v1::LANE_BILLING, kHugeEpoch, sequence}));
    });
  }
  EXPECT_EQ(highest(v1::LANE_BILLING, kHugeEpoch), 10u);
  EXPECT_EQ(highest(v1::LANE_BILLING, 1), 0u);
  constexpr uint64_t kLargest = std::numeric_limits<int64_t>::max();
  for (const uint64_t sequence : {kLargest, uint64_t{4}}) {
    WriteOk([&](Writer& w) {
      return w.RaiseHighestSequence({"c1", v1::LANE_HEALTH, 1, sequence});
    });
  }
  EXPECT_EQ(highest(v1::LANE_HEALTH, 1), kLargest);

  const ReportKey beyond{"c1", v1::LANE_BILLING, 1, kLargest + 1};
  EXPECT_EQ(
      Write([&](Writer& w) { return w.RaiseHighestSequence(beyond); }).code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Write([&](Writer& w) {
              return w.InsertReport(MakeReport(beyond));
            }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Write([](Writer& w) {
              return w.RaiseHighestSequence({"c9", v1::LANE_HEALTH, 1, 1});
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, EveryFieldOfHealthComesBack) {
  AddFleet();
  MessageFiller filler;
  StoredHealth health;
  health.cluster_id = "c1";
  health.received_at = At(1) + absl::Microseconds(7);
  filler.Fill(health.health_check);
  filler.Fill(health.result);
  WriteOk([&](Writer& w) { return w.InsertHealth(health, 10); });
  const auto read = Read([](Reader& r) { return r.LatestHealth("c1"); });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->cluster_id, "c1");
  EXPECT_EQ(read->received_at, health.received_at);
  EXPECT_EQ(Difference(health.health_check, read->health_check), "");
  EXPECT_EQ(Difference(health.result, read->result), "");
}

// A submessage that is there and empty, an optional field that is there and 0,
// and the absence of either are four different things.
TEST_P(StoreConformance, AbsentAndEmptyStayApart) {
  AddFleet();
  std::vector<StoredHealth> cases(4);
  v1::NodeHealth* node = cases[1].health_check.add_nodes();
  node->set_memory_limit_bytes(0);
  cases[1].health_check.add_nodes()->set_cpu_limit_millicores(0);
  cases[1].health_check.add_active_gates();
  cases[1].health_check.mutable_privacy_settings();
  cases[1].health_check.mutable_observed_at();
  cases[1].result.add_findings();
  cases[2].health_check.mutable_traffic_size();
  cases[2].health_check.mutable_update_window();
  cases[3].health_check.mutable_traffic_size()->mutable_time_frame();
  cases[3].health_check.mutable_update_window()->mutable_duration();
  // Before 1970, to the nanosecond.
  cases[3].health_check.mutable_observed_at()->set_seconds(-2);
  cases[3].health_check.mutable_observed_at()->set_nanos(999'999'999);
  for (StoredHealth& health : cases) {
    health.cluster_id = "c1";
    WriteOk([&](Writer& w) { return w.InsertHealth(health, 10); });
    const auto read = Read([](Reader& r) { return r.LatestHealth("c1"); });
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(Difference(health.health_check, read->health_check), "");
    EXPECT_EQ(Difference(health.result, read->result), "");
  }
}

TEST_P(StoreConformance, HealthIsListedNewestFirstAndKeptUpToABound) {
  AddFleet();
  int count = 0;
  const auto add = [&] {
    ++count;
    WriteOk([&](Writer& w) {
      absl::Status done =
          w.InsertHealth(MakeHealth("c1", count, v1::HEALTH_STATUS_WARNING), 7);
      done.Update(w.InsertHealth(
          MakeHealth("c2", count, v1::HEALTH_STATUS_HEALTHY), 1));
      return done;
    });
  };
  const auto walk = [&](const std::string& cluster, auto between) {
    return Walk([&](Reader& r,
                    const Page& page) { return r.ListHealth(cluster, page); },
                [](const StoredHealth& health) {
                  return std::to_string(
                      absl::ToInt64Seconds(health.received_at - At(0)));
                },
                between);
  };
  for (int i = 0; i < 5; ++i) add();
  EXPECT_THAT(walk("c1", add), ElementsAre("5", "4", "3", "2", "1"));
  for (int i = 0; i < 3; ++i) add();
  EXPECT_THAT(walk("c1", [] {}),
              ElementsAre("10", "9", "8", "7", "6", "5", "4"));
  EXPECT_THAT(walk("c2", [] {}), ElementsAre("10"));
  EXPECT_THAT(walk("c9", [] {}), IsEmpty());
  EXPECT_EQ(
      Read([](Reader& r) { return r.LatestHealth("c3"); }).status().code(),
      kNotFound);
  EXPECT_EQ(Write([](Writer& w) {
              return w.InsertHealth(
                  MakeHealth("c9", 1, v1::HEALTH_STATUS_HEALTHY), 1);
            }).code(),
            kNotFound);
}

TEST_P(StoreConformance, EveryFieldOfConsumptionComesBack) {
  AddFleet();
  auto stored = MakeConsumption("c1", "l1", 3, At(0), "");
  stored.key.epoch = kHugeEpoch;
  stored.consumption.Clear();
  MessageFiller().Fill(stored.consumption);
  WriteOk([&](Writer& w) { return w.InsertConsumption(stored); });
  const auto page = Read([](Reader& r) { return r.ListConsumption({}, {}); });
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 1u);
  const StoredConsumption& read = page->items[0];
  EXPECT_EQ(read.key.cluster_id, "c1");
  EXPECT_EQ(read.key.lane, v1::LANE_BILLING);
  EXPECT_EQ(read.key.epoch, kHugeEpoch);
  EXPECT_EQ(read.key.sequence, 3u);
  EXPECT_EQ(read.license_id, "l1");
  EXPECT_EQ(read.accepted_at, stored.accepted_at);
  EXPECT_EQ(Difference(stored.consumption, read.consumption), "");
}

TEST_P(StoreConformance, ConsumptionIsWrittenOnceForKnownClustersOnly) {
  AddFleet();
  const auto stored = MakeConsumption("c1", "l1", 1, At(0), "e1");
  const auto write = [&](const StoredConsumption& row) {
    return Write([&](Writer& w) { return w.InsertConsumption(row); }).code();
  };
  EXPECT_EQ(write(stored), absl::StatusCode::kOk);
  EXPECT_EQ(write(stored), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(write(MakeConsumption("c9", "l1", 1, At(0), "e1")), kNotFound);
  EXPECT_EQ(write(MakeConsumption("c1", "l9", 2, At(0), "e1")), kNotFound);
  auto other_lane = MakeConsumption("c1", "l1", 2, At(0), "e1");
  other_lane.key.lane = v1::LANE_HEALTH;
  EXPECT_EQ(write(other_lane), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, ConsumptionIsFilteredNewestFirst) {
  AddFleet();
  const auto add = [&](const std::string& cluster, const std::string& license,
                       uint64_t sequence, const std::string& environment) {
    WriteOk([&](Writer& w) {
      return w.InsertConsumption(MakeConsumption(
          cluster, license, sequence, At(static_cast<int64_t>(sequence) * 3600),
          environment));
    });
  };
  add("c1", "l1", 1, "e1");
  add("c1", "l1", 2, "e2");
  add("c2", "l1", 3, "e1");
  add("c3", "l2", 4, "e1");
  uint64_t last = 4;
  const auto list = [&](const ConsumptionFilter& filter, auto between) {
    return Walk(
        [&](Reader& r, const Page& page) {
          return r.ListConsumption(filter, page);
        },
        [](const StoredConsumption& row) {
          return std::to_string(row.key.sequence);
        },
        between);
  };
  const auto nothing = [] {};
  EXPECT_THAT(list({}, [&] { add("c1", "l1", ++last, "e3"); }),
              ElementsAre("4", "3", "2", "1"));
  EXPECT_THAT(list({.account_id = "a2"}, nothing), ElementsAre("4"));
  EXPECT_THAT(list({.license_id = "l1"}, nothing),
              ElementsAre("5", "3", "2", "1"));
  EXPECT_THAT(list({.cluster_id = "c1"}, nothing), ElementsAre("5", "2", "1"));
  EXPECT_THAT(list({.environment_id = "e1"}, nothing),
              ElementsAre("4", "3", "1"));
  EXPECT_THAT(list({.from = At(2 * 3600), .to = At(4 * 3600)}, nothing),
              ElementsAre("3", "2"));
  EXPECT_THAT(
      list({.license_id = "l1", .environment_id = "e1", .to = At(2 * 3600)},
           nothing),
      ElementsAre("1"));
  EXPECT_THAT(list({.account_id = "nobody"}, nothing), IsEmpty());
}

TEST_P(StoreConformance, UsageIsSummedByLicenseEnvironmentAndPeriod) {
  AddFleet();
  int64_t number = 0;
  const auto add = [&](const std::string& cluster, const std::string& license,
                       int64_t hour, const std::string& environment_id) {
    auto stored = MakeConsumption(cluster, license, ++number, At(hour * 3600),
                                  environment_id);
    auto& environment = *stored.consumption.mutable_environments(0);
    environment.set_new_problems(1);
    environment.set_rum_sessions(10);
    for (int i = 0; i < 2; ++i) {
      auto& monitor = *environment.add_synthetic_monitors();
      monitor.set_success_count(100);
      monitor.set_failure_count(20);
      monitor.set_action_count(7);
      auto& meter = *environment.add_meters();
      meter.set_meter_id(i == 0 ? "storage" : "calls");
      meter.set_unit("unit");
      meter.set_quantity(1000 + i);
    }
    // A host in between must multiply nothing.
    environment.add_hosts()->set_host_id("h");
    WriteOk([&](Writer& w) { return w.InsertConsumption(stored); });
  };
  add("c1", "l1", 0, "e1");
  add("c1", "l1", 1, "e1");
  add("c2", "l1", 1, "e2");
  add("c3", "l2", 1, "e1");
  const auto sum = [&](const std::string& license,
                       const std::string& environment, absl::Time from,
                       absl::Time to) {
    return *Read(
        [&](Reader& r) { return r.SumUsage(license, environment, from, to); });
  };
  const UsageSums all =
      sum("l1", "", absl::InfinitePast(), absl::InfiniteFuture());
  EXPECT_EQ(all.new_problems, 3);
  EXPECT_EQ(all.rum_sessions, 30);
  EXPECT_EQ(all.synthetic_executions, 720);
  ASSERT_EQ(all.meters.size(), 2u);
  EXPECT_EQ(all.meters[0].meter_id, "calls");
  EXPECT_EQ(all.meters[0].unit, "unit");
  EXPECT_EQ(all.meters[0].quantity, 3003);
  EXPECT_EQ(all.meters[1].meter_id, "storage");
  EXPECT_EQ(all.meters[1].quantity, 3000);
  EXPECT_EQ(sum("l1", "e1", At(0), At(7200)).rum_sessions, 20);
  EXPECT_EQ(sum("l1", "", At(0), At(3600)).rum_sessions, 10);
  EXPECT_EQ(sum("l1", "", At(3600), At(7200)).synthetic_executions, 480);
  const UsageSums none = sum("l9", "", At(0), At(7200));
  EXPECT_EQ(none.rum_sessions, 0);
  EXPECT_EQ(none.synthetic_executions, 0);
  EXPECT_THAT(none.meters, IsEmpty());
}

TEST_P(StoreConformance, IntervalsOfAHostComeFromAllReportsOfTheHour) {
  AddFleet();
  const auto add = [&](uint64_t sequence, absl::Time start,
                       const std::string& environment_id,
                       const std::string& host_id) {
    auto stored = MakeConsumption("c1", "l1", sequence, start, environment_id);
    auto& host = *stored.consumption.mutable_environments(0)->add_hosts();
    host.set_host_id(host_id);
    *host.add_monitored() = Interval(start, absl::Minutes(1));
    *host.add_monitored() =
        Interval(start + absl::Minutes(2), absl::Nanoseconds(61));
    WriteOk([&](Writer& w) { return w.InsertConsumption(stored); });
  };
  add(1, At(0), "e1", "h1");
  add(2, At(1800), "e1", "h1");
  add(3, At(3600), "e1", "h1");
  add(4, At(600), "e2", "h1");
  add(5, At(600), "e1", "h2");
  const auto intervals =
      Read([](Reader& r) { return r.HostIntervals("c1", "e1", "h1", At(0)); });
  ASSERT_TRUE(intervals.ok()) << intervals.status();
  ASSERT_EQ(intervals->size(), 4u);
  EXPECT_EQ((*intervals)[0].epoch, 7u);
  EXPECT_EQ((*intervals)[0].start, At(0));
  EXPECT_EQ((*intervals)[0].end, At(60));
  EXPECT_EQ((*intervals)[3].start, At(1920));
  EXPECT_EQ((*intervals)[3].end, At(1920) + absl::Nanoseconds(61));
  EXPECT_THAT(
      *Read([](Reader& r) { return r.HostIntervals("c2", "e1", "h1", At(0)); }),
      IsEmpty());
}

}  // namespace mc::service

// Random reports against a model that shares no code with the ledger.
#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/files/temp_dir.h"
#include "common/time/clock.h"
#include "mc-service/domain/ledger/fixture.h"
#include "mc-service/domain/reports/report_desk.h"
#include "mc-service/store/fake/fake_store.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

constexpr int kHours = 4;
constexpr int64_t kLimitMilli = 1500;

// Cluster and environment.
using Place = std::pair<std::string, std::string>;

struct Used {
  Place place;
  uint64_t epoch;
  int from_minute;
  int to_minute;
  int64_t quantity;
};

struct Monitored {
  Place place;
  int host;
  int from_minute;
  int to_minute;
  int64_t units_milli;
};

// What was accepted, as plain lists; every answer goes through all of them.
class Model {
 public:
  void AddSessions(const Used& used) {
    if (used.quantity > 0) sessions_.push_back(used);
  }
  void AddHost(const Monitored& host) { hosts_.push_back(host); }

  int64_t Sessions(const Place* only) const {
    int64_t sum = 0;
    std::set<Place> places;
    for (const Used& used : sessions_) places.insert(used.place);
    for (const Place& place : places) {
      if (only == nullptr || *only == place) sum += SessionsOf(place);
    }
    return sum;
  }

  // By hour.
  std::map<int, int64_t> HostUnits() const {
    std::map<std::tuple<Place, int, int>, std::bitset<60>> minutes;
    std::map<std::tuple<Place, int, int>, int64_t> weights;
    for (const Monitored& m : hosts_) {
      for (int minute = m.from_minute; minute < m.to_minute; ++minute) {
        const auto key = std::make_tuple(m.place, m.host, minute / 60);
        minutes[key].set(minute % 60);
        weights[key] = std::max(weights[key], m.units_milli);
      }
    }
    std::map<int, int64_t> units;
    for (const auto& [key, bits] : minutes) {
      if (bits.count() >= 5) units[std::get<2>(key)] += weights[key];
    }
    return units;
  }

 private:
  // Colors spread over frames of different epochs that share a minute, until
  // nothing changes; of each color the best epoch counts.
  int64_t SessionsOf(const Place& place) const {
    std::vector<const Used*> all;
    for (const Used& used : sessions_) {
      if (used.place == place) all.push_back(&used);
    }
    std::vector<size_t> color(all.size());
    for (size_t i = 0; i < all.size(); ++i) color[i] = i;
    const auto related = [&](const Used& a, const Used& b) {
      if (a.epoch == b.epoch) {
        // Reports of one frame and epoch are one.
        return a.from_minute == b.from_minute && a.to_minute == b.to_minute;
      }
      return a.from_minute < b.to_minute && b.from_minute < a.to_minute;
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < all.size(); ++i) {
        for (size_t k = 0; k < all.size(); ++k) {
          if (color[k] < color[i] && related(*all[i], *all[k])) {
            color[i] = color[k];
            changed = true;
          }
        }
      }
    }
    std::map<size_t, std::map<uint64_t, int64_t>> sums;
    for (size_t i = 0; i < all.size(); ++i) {
      sums[color[i]][all[i]->epoch] += all[i]->quantity;
    }
    int64_t billed = 0;
    for (const auto& [group, epochs] : sums) {
      int64_t most = 0;
      for (const auto& [epoch, sum] : epochs) most = std::max(most, sum);
      billed += most;
    }
    return billed;
  }

  std::vector<Used> sessions_;
  std::vector<Monitored> hosts_;
};

struct Backend {
  const char* name;
  // Keeps its folder.
  std::function<std::shared_ptr<Store>(const std::string& path)> open;
};

class LedgerModel
    : public ::testing::TestWithParam<std::tuple<Backend, unsigned>> {
 protected:
  int Draw(int below) { return static_cast<int>(random_() % below); }

  v1::ReportEnvelope Envelope(const StoredConsumption& report) {
    v1::ReportEnvelope envelope;
    envelope.set_lane(v1::LANE_BILLING);
    envelope.set_epoch(report.key.epoch);
    envelope.set_sequence(report.key.sequence);
    *envelope.mutable_created_at() = ToProto(report.accepted_at);
    *envelope.mutable_consumption() = report.consumption;
    return envelope;
  }

  // A random report; the model has it when it is made, for it comes once at
  // least.
  v1::ReportEnvelope Make() {
    const std::string cluster = Draw(3) == 0 ? "c-2" : "c-1";
    const std::string environment = Draw(3) == 0 ? "env-2" : "env-1";
    const Place place = {cluster, environment};
    const uint64_t epoch = 10 + Draw(3);
    // Frames of an epoch have one length, but for one epoch, that has two.
    const int length = epoch == 10 ? 10 : epoch == 11 ? 60 : Draw(2) ? 30 : 10;
    const int from = Draw(kHours * 60 / length) * length;
    StoredConsumption report = MakeReport(
        cluster, epoch, ++sequences_[{cluster, epoch}],
        TestHour() + absl::Minutes(from), absl::Minutes(length), environment);
    const int64_t sessions = Draw(50);
    Environment(report).set_rum_sessions(sessions);
    model_.AddSessions({place, epoch, from, from + length, sessions});
    for (int host = 0; host < 3; ++host) {
      if (Draw(2) == 0) continue;
      const int start = from + Draw(length);
      const int end = std::min(from + length, start + 1 + Draw(6));
      const bool large = Draw(4) == 0;
      AddHost(report, absl::StrCat("host-", host), large ? 32 * kGiB : 8 * kGiB,
              TestHour() + absl::Minutes(start),
              TestHour() + absl::Minutes(end));
      model_.AddHost({place, host, start, end, large ? 2000 : 500});
    }
    return Envelope(report);
  }

  v1::ReportReceipt Accept(ReportDesk& desk, const v1::ReportEnvelope& report) {
    absl::Notification received;
    v1::ReportReceipt receipt;
    desk.Accept({.cluster_id = report.consumption().cluster_id(),
                 .digest = Sha256(report.SerializeAsString()),
                 .report = report},
                [&](v1::ReportReceipt r) {
                  receipt = std::move(r);
                  received.Notify();
                });
    received.WaitForNotification();
    EXPECT_TRUE(receipt.has_consumption()) << receipt.DebugString();
    return receipt;
  }

  std::mt19937 random_{std::get<1>(GetParam())};
  TempDir folder_;
  SimulatedClock clock_{TestHour()};
  DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  Model model_;
  std::map<std::pair<std::string, uint64_t>, uint64_t> sequences_;
};

TEST_P(LedgerModel, WhateverComesInWhateverOrderCountsOnce) {
  const std::shared_ptr<Store> store =
      std::get<0>(GetParam()).open(folder_.File("store.db"));
  License license = SeedLicense(TestHour() - absl::Hours(48));
  license.limits.set_host_units_milli(kLimitMilli);
  license.limits.set_rum_sessions(1'000'000);
  ASSERT_TRUE(Seed(*store, license, {"c-1", "c-2"}).ok());
  int64_t overlaps = 0;
  ReportDesk::Options options;
  options.store = store.get();
  options.signer = &signer_;
  options.clock = &clock_;
  options.ledger.on_overlap = [&](Writer&, const UsageOverlap&) {
    ++overlaps;
    return absl::OkStatus();
  };
  ReportDesk desk(options);

  std::vector<v1::ReportEnvelope> reports;
  for (int i = 0; i < 120; ++i) reports.push_back(Make());
  // Some come twice, and nothing comes in order.
  for (int i = 0; i < 40; ++i) reports.push_back(reports[Draw(120)]);
  std::shuffle(reports.begin(), reports.end(), random_);
  std::map<std::string, std::string> receipts;
  for (const v1::ReportEnvelope& report : reports) {
    clock_.Advance(absl::Seconds(1));
    const std::string receipt = Accept(desk, report).SerializeAsString();
    const auto [first, added] =
        receipts.emplace(report.SerializeAsString(), receipt);
    EXPECT_EQ(first->second, receipt) << added;
  }
  EXPECT_GT(overlaps, 0);

  const auto result = ReadFrom(*store, [&](Reader& reader) {
    return Balance(reader, license, TestHour(), "c-1", {"env-1", "env-2"});
  });
  const Place first = {"c-1", "env-1"};
  const Place second = {"c-1", "env-2"};
  EXPECT_EQ(result.environments(0).consumed_rum_sessions(),
            model_.Sessions(&first));
  EXPECT_EQ(result.environments(1).consumed_rum_sessions(),
            model_.Sessions(&second));
  EXPECT_EQ(result.remaining_rum_sessions(),
            1'000'000 - model_.Sessions(nullptr));
  int64_t overage = 0;
  int64_t unit_hours = 0;
  for (const auto& [hour, units] : model_.HostUnits()) {
    overage += std::max<int64_t>(0, units - kLimitMilli);
    unit_hours += units;
  }
  EXPECT_EQ(result.host_unit_hours_overage_milli(), overage);
  int64_t entries = 0;
  for (const LedgerEntry& entry : AllEntries(*store)) {
    if (entry.identity.meter == v1::METER_HOST_UNIT_HOURS_MILLI) {
      entries += entry.quantity;
    }
  }
  EXPECT_EQ(entries, unit_hours);
  ExpectEqualLedger(*store);
}

std::shared_ptr<Store> OpenFile(const std::string& path) {
  auto store = OpenSqliteStore({.path = path, .create = true});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

const Backend kSqlite = {"Sqlite", OpenFile};
const Backend kFake = {
    "Fake", [](const std::string&) { return std::make_shared<FakeStore>(); }};

INSTANTIATE_TEST_SUITE_P(Ledger, LedgerModel,
                         ::testing::Combine(::testing::Values(kSqlite, kFake),
                                            ::testing::Range(1u, 9u)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param).name,
                                               std::get<1>(info.param));
                         });

}  // namespace
}  // namespace mc::service

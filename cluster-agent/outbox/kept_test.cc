// What is kept after its receipt, and restored services and disks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster-agent/outbox/fixture.h"
#include "common/sqlite/database.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::ERROR_REASON_OVERLOADED;
using missioncontrol::v1::ERROR_REASON_REPORT_CONFLICT;
using missioncontrol::v1::LANE_BILLING;
using missioncontrol::v1::LaneMark;
using testing::ElementsAre;
using testing::IsEmpty;

// One report of the lane BILLING for each hour.
void Bill(OutboxFixture& f, int hours) {
  for (int i = 0; i < hours; ++i) {
    ASSERT_TRUE(
        f.Record({SessionsRecord(
                     "k-" + std::to_string(absl::ToUnixNanos(f.clock.Now())),
                     "env", i + 1, f.clock.Now())})
            .ok());
    f.clock.Advance(absl::Hours(1));
    ASSERT_TRUE(f.outbox().CloseFrames().ok());
  }
}

// What a service keeps: the bytes of each accepted report, for good.
class Ledger {
 public:
  using Key = std::pair<uint64_t, uint64_t>;

  // Takes what waits, as a service does; false: the number is taken.
  void Take(OutboxFixture& f) {
    for (const OutboxReport& report : f.Waiting(LANE_BILLING)) Take(f, report);
  }
  bool Take(OutboxFixture& f, const OutboxReport& report) {
    const Key key{report.key.epoch, report.key.sequence};
    const bool same =
        accepted_.try_emplace(key, report.request).first->second ==
        report.request;
    if (same) {
      EXPECT_TRUE(f.Acknowledge(report.key).ok());
    } else {
      EXPECT_TRUE(
          f.Reject(report.key, ERROR_REASON_REPORT_CONFLICT, false).ok());
    }
    return same;
  }
  void Welcome(OutboxFixture& f, uint64_t service_epoch) {
    LaneMark mark;
    mark.set_lane(LANE_BILLING);
    mark.set_epoch(f.Epoch(LANE_BILLING));
    for (const auto& [key, bytes] : accepted_) {
      if (key.first == mark.epoch()) {
        mark.set_highest_accepted_sequence(key.second);
      }
    }
    const auto result =
        f.outbox().ApplyWelcome(service_epoch, std::vector{mark});
    ASSERT_TRUE(result.ok()) << result.status();
  }
  // Streams until nothing waits.
  void Sync(OutboxFixture& f, uint64_t service_epoch) {
    do {
      Welcome(f, service_epoch);
      Take(f);
    } while (f.outbox().reader().Stats()->waiting_reports > 0);
  }

  std::map<Key, std::string> accepted_;
};

int64_t Kept(OutboxFixture& f) {
  return f.outbox().reader().Stats()->kept_reports;
}

TEST(Kept, AcknowledgedConsumptionIsKeptForItsTime) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  Bill(f, 1);
  ledger.Sync(f, 1);
  EXPECT_THAT(f.Waiting(LANE_BILLING), IsEmpty());
  EXPECT_EQ(Kept(f), 1);
  f.Open();
  f.clock.Advance(absl::Hours(71));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(
      f.outbox().reader().List(0, "", f.clock.Now(), true)->reports[0].state,
      ReportState::kAcknowledged);
  EXPECT_EQ(Kept(f), 1);
  f.clock.Advance(absl::Hours(2));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(Kept(f), 0);
}

TEST(Kept, AClockThatIsSetDeletesNothingEarly) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  Bill(f, 1);
  ledger.Sync(f, 1);
  const absl::Time right = f.clock.Now();
  ASSERT_TRUE(f.Record({SessionsRecord("key", "env", 1, right)}).ok());
  f.clock.SetNow(right + absl::Hours(24 * 366));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  f.Open();
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  f.clock.SetNow(right);
  EXPECT_EQ(Kept(f), 1);
  EXPECT_EQ(f.Record({SessionsRecord("key", "env", 1, right)})->repeated, 1);
}

TEST(Kept, TimeWithoutTheAgentDoesNotCount) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  Bill(f, 1);
  ledger.Sync(f, 1);
  f.Close();
  f.clock.Advance(absl::Hours(24 * 30));
  f.Open();
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_EQ(Kept(f), 1);
}

TEST(Kept, ARestoredServiceGetsAgainWhatItHasLost) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  for (int i = 0; i < 3; ++i) {
    Bill(f, 1);
    ledger.Sync(f, 1);
  }
  const Ledger backup = ledger;
  Bill(f, 4);
  ledger.Sync(f, 1);
  // The same service welcomes once more: nothing is sent again.
  ledger.Welcome(f, 1);
  EXPECT_THAT(f.Waiting(LANE_BILLING), IsEmpty());

  Ledger restored = backup;
  restored.Welcome(f, 2);
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 4u) << "only what comes after it";
  restored.Sync(f, 2);
  EXPECT_EQ(restored.accepted_, ledger.accepted_) << "byte by byte";
  EXPECT_EQ(Kept(f), 7);
  restored.Welcome(f, 2);
  EXPECT_THAT(f.Waiting(LANE_BILLING), IsEmpty());
}

TEST(Kept, WhatWasAcceptedOutOfOrderAfterTheBackupIsSentAgain) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  Bill(f, 3);
  ledger.Welcome(f, 1);
  const std::vector<OutboxReport> waiting = f.Waiting(LANE_BILLING);
  // 1 and 3 are in the backup, 2 came after it: the mark is 3.
  ASSERT_TRUE(ledger.Take(f, waiting[0]));
  ASSERT_TRUE(ledger.Take(f, waiting[2]));
  Ledger restored = ledger;
  f.clock.Advance(absl::Minutes(30));
  ASSERT_TRUE(ledger.Take(f, waiting[1]));
  restored.Sync(f, 2);
  EXPECT_EQ(restored.accepted_, ledger.accepted_);
}

TEST(Kept, EarlierEpochsAreSentAgainToo) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  Bill(f, 2);
  ledger.Sync(f, 1);
  // The next one finds its number taken, and goes on in another epoch.
  Bill(f, 1);
  const ReportKey taken = f.Waiting(LANE_BILLING)[0].key;
  ASSERT_TRUE(f.Reject(taken, ERROR_REASON_REPORT_CONFLICT, false).ok());
  Bill(f, 1);
  ledger.Sync(f, 1);
  ASSERT_EQ(ledger.accepted_.size(), 4u);
  Ledger restored;
  restored.Sync(f, 9);
  EXPECT_EQ(restored.accepted_, ledger.accepted_);
}

TEST(Kept, TheFirstServiceEpochSendsNothingAgain) {
  OutboxFixture f;
  f.Open();
  Bill(f, 1);
  ASSERT_TRUE(f.Acknowledge(f.Waiting(LANE_BILLING)[0].key).ok());
  Ledger().Welcome(f, 5);
  EXPECT_THAT(f.Waiting(LANE_BILLING), IsEmpty());
  Ledger().Welcome(f, 0);
  EXPECT_THAT(f.Waiting(LANE_BILLING), IsEmpty()) << "0 tells nothing";
}

// The disk goes back to an old copy, with real files, at any moment: no
// sequence is accepted twice with new meaning, and nothing new is lost.
TEST(Kept, ARestoredDiskGivesNoSequenceANewMeaning) {
  for (int later = 0; later < 4; ++later) {
    SCOPED_TRACE(later);
    OutboxFixture f;
    f.Open();
    Ledger ledger;
    Bill(f, 2);
    ledger.Sync(f, 1);
    Bill(f, 1);
    f.Close();
    const std::string copy = f.path() + ".copy";
    std::filesystem::copy_file(f.path(), copy);
    f.Open();
    Bill(f, 3);
    ledger.Sync(f, 1);
    const std::map<Ledger::Key, std::string> before = ledger.accepted_;

    f.Close();
    std::filesystem::copy_file(
        copy, f.path(), std::filesystem::copy_options::overwrite_existing);
    f.Open();
    // What the old copy does not know of is used while nobody answers.
    Bill(f, later * 2);
    ledger.Sync(f, 1);
    Bill(f, 1);
    ledger.Sync(f, 1);
    for (const auto& [key, bytes] : before) {
      EXPECT_EQ(ledger.accepted_.at(key), bytes);
    }
    EXPECT_EQ(ledger.accepted_.size(), before.size() + later * 2 + 1);
    EXPECT_EQ(f.outbox().reader().Stats()->set_aside_reports, 0);
  }
}

TEST(Kept, APauseCountsTimeThatPassesAndNotTheClock) {
  OutboxFixture f;
  f.Open();
  Bill(f, 1);
  const absl::Time right = f.clock.Now();
  f.clock.SetNow(right + absl::Hours(24 * 366));
  ASSERT_TRUE(f.Reject(f.Waiting(LANE_BILLING)[0].key, ERROR_REASON_OVERLOADED,
                       true, f.clock.Now() + absl::Minutes(5))
                  .ok());
  f.clock.SetNow(right);
  EXPECT_THAT(f.Waiting(LANE_BILLING), IsEmpty());
  f.clock.Advance(absl::Minutes(5));
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 1u);
}

TEST(Outbox, ADamagedCounterGivesNoNumberTwice) {
  OutboxFixture f;
  f.Open();
  Ledger ledger;
  Bill(f, 2);
  ledger.Sync(f, 1);
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  f.Close();
  ASSERT_TRUE((*sqlite::Database::Open(f.path()))
                  ->Exec("UPDATE lane SET next_sequence = 2")
                  .ok());
  f.Open();
  Bill(f, 1);
  EXPECT_GT(f.Waiting(LANE_BILLING)[0].key.epoch, epoch);
}

TEST(OutboxReader, FindsOneReportAndListsReceiptsInPages) {
  OutboxFixture f;
  f.Open();
  Bill(f, 3);
  for (const OutboxReport& report : f.Waiting(LANE_BILLING)) {
    missioncontrol::v1::SignedDocument receipt;
    receipt.set_key_id(std::to_string(report.key.sequence));
    ASSERT_TRUE(f.Acknowledge(report.key, receipt).ok());
  }
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  const auto found =
      f.outbox().reader().Find({LANE_BILLING, epoch, 2}, f.clock.Now());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->listed.state, ReportState::kAcknowledged);
  EXPECT_FALSE(found->request.empty());
  EXPECT_TRUE(
      absl::IsNotFound(f.outbox()
                           .reader()
                           .Find({LANE_BILLING, epoch, 4}, f.clock.Now())
                           .status()));
  auto page = f.outbox().reader().ListReceipts(2, "");
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->receipts.size(), 2u);
  EXPECT_EQ(page->receipts[1].document->key_id(), "2");
  page = f.outbox().reader().ListReceipts(2, page->next_page_token);
  ASSERT_EQ(page->receipts.size(), 1u);
  EXPECT_THAT(page->next_page_token, IsEmpty());
}

// 35 days of hours, then back: paged, in order, once.
TEST(Kept, ALongBacklogIsReadInPagesInOrderOnce) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  f.Open(options);
  std::vector<missioncontrol::v1::UsageRecord> records;
  // About 20 KB each hour.
  for (int i = 0; i < 100; ++i) {
    missioncontrol::v1::UsageRecord record =
        SessionsRecord("", "env", 0, f.clock.Now());
    record.mutable_meter()->set_meter_id("meter-" + std::to_string(i) +
                                         std::string(100, 'x'));
    record.mutable_meter()->set_unit("unit-" + std::string(80, 'x'));
    record.mutable_meter()->set_quantity(i + 1);
    records.push_back(record);
  }
  constexpr int kHours = 35 * 24;
  for (int hour = 0; hour < kHours; ++hour) {
    for (size_t i = 0; i < records.size(); ++i) {
      records[i].set_idempotency_key(std::to_string(hour) + "." +
                                     std::to_string(i));
      *records[i].mutable_used_at() = mc::ToProto(f.clock.Now());
    }
    ASSERT_TRUE(f.Record(records).ok());
    f.clock.Advance(absl::Hours(1));
    ASSERT_TRUE(f.outbox().CloseFrames().ok());
  }
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  uint64_t last = 0;
  absl::Time end = absl::InfinitePast();
  for (;;) {
    const auto next =
        f.outbox().Next({LANE_BILLING, epoch, last}, 16, 64 << 10);
    ASSERT_TRUE(next.ok()) << next.status();
    if (next->empty()) break;
    size_t bytes = 0;
    for (const OutboxReport& report : *next) {
      ASSERT_EQ(report.key.sequence, last + 1);
      last = report.key.sequence;
      bytes += report.request.size();
      const absl::Time start =
          FromProto(EnvelopeOf(report).consumption().time_frame().start())
              .value();
      EXPECT_GE(start, end);
      end = start + absl::Hours(1);
      ASSERT_TRUE(f.Acknowledge(report.key).ok());
    }
    EXPECT_LE(bytes, 64u << 10) << "memory is bounded by the page";
  }
  EXPECT_EQ(last, static_cast<uint64_t>(kHours));
  EXPECT_EQ(f.outbox().reader().Stats()->waiting_reports, 0);
}

}  // namespace
}  // namespace mc::agent

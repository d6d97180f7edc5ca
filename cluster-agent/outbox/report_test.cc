// Sending reports: numbers, answers, restored disks, damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "cluster-agent/outbox/fixture.h"
#include "common/sqlite/database.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::ERROR_REASON_INVALID_FIELD;
using missioncontrol::v1::ERROR_REASON_OVERLOADED;
using missioncontrol::v1::ERROR_REASON_REPORT_CONFLICT;
using missioncontrol::v1::LANE_BILLING;
using missioncontrol::v1::LANE_HEALTH;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr size_t kAll = std::numeric_limits<size_t>::max();

// Fills the lane BILLING with reports of one hour each.
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

missioncontrol::v1::LaneMark Mark(const ReportKey& key) {
  missioncontrol::v1::LaneMark mark;
  mark.set_lane(key.lane);
  mark.set_epoch(key.epoch);
  mark.set_highest_accepted_sequence(key.sequence);
  return mark;
}

std::vector<uint64_t> Sequences(const std::vector<OutboxReport>& reports) {
  std::vector<uint64_t> sequences;
  for (const auto& report : reports) sequences.push_back(report.key.sequence);
  return sequences;
}

void Change(const OutboxFixture& f, const std::string& sql) {
  auto database = sqlite::Database::Open(f.path());
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE((*database)->Exec(sql).ok());
}

TEST(Outbox, ReportsAreNumberedFromOneWithoutGaps) {
  OutboxFixture f;
  f.Open();
  Bill(f, 3);
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  f.Open();
  Bill(f, 1);
  EXPECT_EQ(f.Epoch(LANE_BILLING), epoch);
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)),
              testing::ElementsAre(1, 2, 3, 4));
}

TEST(Outbox, ResentBytesAreTheSame) {
  OutboxFixture f;
  f.Open();
  Bill(f, 1);
  const std::string bytes = f.Waiting(LANE_BILLING)[0].request;
  const ReportKey key = f.Waiting(LANE_BILLING)[0].key;
  ASSERT_TRUE(f.Reject(key, ERROR_REASON_OVERLOADED, true).ok());
  f.clock.Advance(absl::Hours(5));
  f.Open();
  ASSERT_EQ(f.Waiting(LANE_BILLING).size(), 1);
  EXPECT_EQ(f.Waiting(LANE_BILLING)[0].request, bytes);
  EXPECT_EQ(f.Waiting(LANE_BILLING)[0].attempts, 1);
}

TEST(Outbox, NextKeepsToItsLimits) {
  OutboxFixture f;
  f.Open();
  Bill(f, 5);
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  Outbox& outbox = f.outbox();
  EXPECT_EQ(outbox.Next({LANE_BILLING, epoch, 0}, 2, kAll)->size(), 2);
  EXPECT_THAT(Sequences(*outbox.Next({LANE_BILLING, epoch, 3}, kAll, kAll)),
              testing::ElementsAre(4, 5));
  EXPECT_EQ(outbox.Next({LANE_BILLING, epoch, 0}, kAll, 1)->size(), 1);
  EXPECT_THAT(*outbox.Next({LANE_BILLING, epoch + 1, 0}, kAll, kAll),
              IsEmpty());
}

TEST(Outbox, AcknowledgedReportGoesAndItsReceiptStays) {
  OutboxFixture f;
  f.Open();
  Bill(f, 2);
  const ReportKey key = f.Waiting(LANE_BILLING)[0].key;
  missioncontrol::v1::ConsumptionReceiptDocument document;
  *document.mutable_accepted_at() = mc::ToProto(f.clock.Now());
  missioncontrol::v1::SignedDocument receipt;
  receipt.set_document(document.SerializeAsString());
  receipt.set_signature("signature");
  ASSERT_TRUE(f.Acknowledge(key, receipt).ok());
  EXPECT_TRUE(f.Acknowledge(key, receipt).ok());
  f.Open();
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)), testing::ElementsAre(2));
  auto found = f.outbox().reader().FindReceipt(key.epoch, key.sequence);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->signature(), "signature");
  f.clock.Advance(absl::Hours(801 * 24));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_TRUE(absl::IsNotFound(
      f.outbox().reader().FindReceipt(key.epoch, key.sequence).status()));
}

TEST(Outbox, ResendableRejectionWaitsForItsTimeAndHoldsUpNobody) {
  OutboxFixture f;
  f.Open();
  Bill(f, 2);
  const ReportKey key = f.Waiting(LANE_BILLING)[0].key;
  const absl::Time later = f.clock.Now() + absl::Minutes(5);
  ASSERT_TRUE(f.Reject(key, ERROR_REASON_OVERLOADED, true, later).ok());
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)), testing::ElementsAre(2));
  const auto listed = f.outbox().reader().List(0, "", f.clock.Now());
  EXPECT_THAT(listed->reports[0].waiting_for, HasSubstr(FormatUtc(later)));
  EXPECT_THAT(listed->reports[0].rejection, HasSubstr("OVERLOADED"));
  f.clock.SetNow(later);
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)), testing::ElementsAre(1, 2));
}

TEST(Outbox, RefusedConsumptionIsSetAsideAndNeverDeleted) {
  OutboxFixture f;
  f.Open();
  Bill(f, 2);
  ASSERT_TRUE(f.Reject(f.Waiting(LANE_BILLING)[0].key,
                       ERROR_REASON_INVALID_FIELD, false)
                  .ok());
  f.Open();
  f.clock.Advance(absl::Hours(400 * 24));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)), testing::ElementsAre(2));
  const auto listed = f.outbox().reader().List(0, "", f.clock.Now());
  ASSERT_EQ(listed->reports.size(), 2);
  EXPECT_EQ(listed->reports[0].state, ReportState::kRejected);
  EXPECT_THAT(listed->reports[0].rejection, HasSubstr("INVALID_FIELD"));
  EXPECT_EQ(f.outbox().reader().Stats()->set_aside_reports, 1);
  EXPECT_EQ(f.outbox().reader().Stats()->waiting_reports, 1);
}

TEST(Outbox, RestoredDiskConfirmsFirstAndFilesConflictsInANewEpoch) {
  OutboxFixture f;
  f.Open();
  Bill(f, 2);
  const std::vector<OutboxReport> before = f.Waiting(LANE_BILLING);
  // The service has seen report 5; this disk knows of two.
  const auto changed = f.outbox().ApplyWelcome(
      1, std::vector{Mark({LANE_BILLING, before[0].key.epoch, 5})});
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_TRUE(changed->outbox_restored);
  EXPECT_FALSE(changed->epochs_changed);
  Bill(f, 1);
  const std::vector<OutboxReport> after = f.Waiting(LANE_BILLING);
  ASSERT_EQ(after.size(), 2);
  EXPECT_EQ(after[0].request, before[0].request);
  EXPECT_EQ(after[1].request, before[1].request);
  // The first one was the same, the second another one.
  ASSERT_TRUE(f.Acknowledge(after[0].key).ok());
  ASSERT_TRUE(f.Reject(after[1].key, ERROR_REASON_REPORT_CONFLICT, false).ok());
  EXPECT_GT(f.Epoch(LANE_BILLING), before[0].key.epoch);
  const std::vector<OutboxReport> moved = f.Waiting(LANE_BILLING);
  EXPECT_THAT(Sequences(moved), testing::ElementsAre(1, 2));
  EXPECT_EQ(EnvelopeOf(moved[1]).consumption().SerializeAsString(),
            EnvelopeOf(after[1]).consumption().SerializeAsString());
  EXPECT_EQ(f.outbox().reader().Stats()->set_aside_reports, 0);
}

TEST(Outbox, RestoredDiskWithNothingWaitingStartsAnEpochAtOnce) {
  OutboxFixture f;
  f.Open();
  const uint64_t epoch = f.Epoch(LANE_BILLING);
  EXPECT_FALSE(f.outbox()
                   .ApplyWelcome(1, std::vector{Mark({LANE_BILLING, epoch, 0})})
                   ->epochs_changed);
  EXPECT_TRUE(f.outbox()
                  .ApplyWelcome(1, std::vector{Mark({LANE_BILLING, epoch, 1})})
                  ->epochs_changed);
  EXPECT_GT(f.Epoch(LANE_BILLING), epoch);
  // Another epoch's mark is none of ours.
  EXPECT_FALSE(f.outbox()
                   .ApplyWelcome(1, std::vector{Mark({LANE_BILLING, epoch, 9})})
                   ->epochs_changed);
}

TEST(Outbox, ConflictWithoutRestoreMovesToo) {
  OutboxFixture f;
  f.Open();
  Bill(f, 2);
  const auto before = f.Waiting(LANE_BILLING);
  ASSERT_TRUE(
      f.Reject(before[0].key, ERROR_REASON_REPORT_CONFLICT, false).ok());
  // The other one keeps its place and comes first.
  EXPECT_EQ(f.Epoch(LANE_BILLING), before[1].key.epoch);
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)), testing::ElementsAre(2));
  ASSERT_TRUE(f.Acknowledge(before[1].key).ok());
  EXPECT_GT(f.Epoch(LANE_BILLING), before[1].key.epoch);
  ReportKey key = f.Waiting(LANE_BILLING)[0].key;
  // A service that refuses every number does not keep us busy for ever.
  for (int i = 0; i < 20 && !f.Waiting(LANE_BILLING).empty(); ++i) {
    key = f.Waiting(LANE_BILLING)[0].key;
    ASSERT_TRUE(f.Reject(key, ERROR_REASON_REPORT_CONFLICT, false).ok());
  }
  EXPECT_EQ(f.outbox().reader().Stats()->set_aside_reports, 1);
}

TEST(Outbox, LatestHealthCheckReplacesTheWaitingOne) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.PutHealth().ok());
  f.clock.Advance(absl::Minutes(5));
  ASSERT_TRUE(f.PutHealth().ok());
  f.Open();
  EXPECT_THAT(Sequences(f.Waiting(LANE_HEALTH)), testing::ElementsAre(2));
  ASSERT_TRUE(f.Acknowledge(f.Waiting(LANE_HEALTH)[0].key).ok());
  EXPECT_THAT(f.Waiting(LANE_HEALTH), IsEmpty());
  ASSERT_TRUE(f.PutHealth().ok());
  EXPECT_THAT(Sequences(f.Waiting(LANE_HEALTH)), testing::ElementsAre(3));
}

TEST(Outbox, TrafficIsReportedUntilAHealthCheckIsAcknowledged) {
  OutboxFixture f;
  f.Open();
  const absl::Time start = f.clock.Now();
  const auto put = [&] {
    f.clock.Advance(absl::Minutes(5));
    EXPECT_TRUE(f.PutHealth().ok());
  };
  const auto traffic = [&] {
    return EnvelopeOf(f.Waiting(LANE_HEALTH)[0]).health_check().traffic_size();
  };
  ASSERT_TRUE(f.AddTraffic(10).ok());
  ASSERT_TRUE(f.AddTraffic(20).ok());
  put();
  put();  // Nobody took the first one.
  EXPECT_EQ(traffic().bytes(), 30);
  ASSERT_TRUE(f.AddTraffic(5).ok());
  f.Open();
  put();
  EXPECT_EQ(traffic().bytes(), 35);
  EXPECT_EQ(mc::FromProto(traffic().time_frame().start()).value(), start);
  const ReportKey sent = f.Waiting(LANE_HEALTH)[0].key;
  const absl::Time end = f.clock.Now();
  // The receipt comes after the next health check has taken its place.
  ASSERT_TRUE(f.AddTraffic(100).ok());
  put();
  EXPECT_EQ(traffic().bytes(), 135);
  ASSERT_TRUE(f.Acknowledge(sent).ok());
  put();
  EXPECT_EQ(traffic().bytes(), 100);
  EXPECT_EQ(mc::FromProto(traffic().time_frame().start()).value(), end);
  ASSERT_TRUE(f.Acknowledge(f.Waiting(LANE_HEALTH)[0].key).ok());
  put();
  EXPECT_EQ(traffic().bytes(), 0);
}

TEST(Outbox, TrafficSurvivesAClockThatIsSetBack) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.AddTraffic(7).ok());
  f.clock.SetNow(kTen - absl::Hours(5));
  ASSERT_TRUE(f.PutHealth().ok());
  EXPECT_FALSE(
      EnvelopeOf(f.Waiting(LANE_HEALTH)[0]).health_check().has_traffic_size());
  f.clock.Advance(absl::Minutes(5));
  ASSERT_TRUE(f.PutHealth().ok());
  EXPECT_EQ(EnvelopeOf(f.Waiting(LANE_HEALTH)[0])
                .health_check()
                .traffic_size()
                .bytes(),
            7);
  EXPECT_TRUE(absl::IsInvalidArgument(f.AddTraffic(-1)));
  EXPECT_TRUE(
      absl::IsOutOfRange(f.AddTraffic(std::numeric_limits<int64_t>::max())));
}

TEST(Outbox, RestoredDiskLosesNoTraffic) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.AddTraffic(7).ok());
  f.clock.Advance(absl::Minutes(5));
  ASSERT_TRUE(f.PutHealth().ok());
  const ReportKey key = f.Waiting(LANE_HEALTH)[0].key;
  EXPECT_TRUE(
      f.outbox()
          .ApplyWelcome(1, std::vector{Mark({LANE_HEALTH, key.epoch, 8})})
          ->epochs_changed);
  EXPECT_THAT(f.Waiting(LANE_HEALTH), IsEmpty());
  f.clock.Advance(absl::Minutes(5));
  ASSERT_TRUE(f.PutHealth().ok());
  EXPECT_GT(f.Waiting(LANE_HEALTH)[0].key.epoch, key.epoch);
  EXPECT_EQ(EnvelopeOf(f.Waiting(LANE_HEALTH)[0])
                .health_check()
                .traffic_size()
                .bytes(),
            7);
}

TEST(Outbox, DamagedReportIsSetAsideAndTheOthersGoOn) {
  OutboxFixture f;
  f.Open();
  Bill(f, 3);
  f.Close();
  Change(f, "UPDATE report SET request = x'00' WHERE sequence = 2");
  f.Open();
  EXPECT_THAT(Sequences(f.Waiting(LANE_BILLING)), testing::ElementsAre(1, 3));
  ASSERT_EQ(f.damage.size(), 1);
  EXPECT_THAT(f.damage[0], HasSubstr(f.path()));
  EXPECT_EQ(f.outbox().reader().Stats()->set_aside_reports, 1);
  f.Waiting(LANE_BILLING);
  EXPECT_EQ(f.damage.size(), 1);
}

TEST(Outbox, DamagedUsageIsSetAsideAndTheOthersGoOn) {
  OutboxFixture f;
  f.Open();
  ASSERT_TRUE(f.Record({SessionsRecord("a", "env", 1, f.clock.Now()),
                        SessionsRecord("b", "env", 2, f.clock.Now())})
                  .ok());
  f.Close();
  Change(f, "UPDATE usage_record SET payload = x'00' WHERE id = 1");
  f.Open();
  f.clock.Advance(absl::Hours(1));
  EXPECT_EQ(f.outbox().CloseFrames()->reports, 1);
  EXPECT_EQ(f.Consumptions()[0].environments(0).rum_sessions(), 2);
  EXPECT_EQ(f.outbox().reader().Stats()->damaged_usage_records, 1);
  EXPECT_EQ(f.damage.size(), 1);
}

TEST(Outbox, UnreadableFileIsAnErrorAndIsKept) {
  OutboxFixture f;
  f.Open();
  Bill(f, 1);
  f.Close();
  const std::string garbage(8192, 'x');
  std::ofstream(f.path()) << garbage;
  const absl::Status status = Outbox::Open(f.Options()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(f.path()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("backup"));
  std::ifstream file(f.path());
  const std::string content(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(content, garbage);
}

TEST(Outbox, CleanEndLeavesOneFile) {
  OutboxFixture f;
  f.Open();
  Bill(f, 1);
  f.Close();
  EXPECT_FALSE(std::ifstream(f.path() + "-wal").good());
  f.Open();
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 1);
}

TEST(Outbox, LogWithoutItsFileIsNotTakenForANewOutbox) {
  OutboxFixture f;
  std::ofstream(f.path() + "-wal") << "log";
  EXPECT_TRUE(absl::IsDataLoss(Outbox::Open(f.Options()).status()));
}

TEST(Outbox, SecondOpenIsRefused) {
  OutboxFixture f;
  f.Open();
  const absl::Status status = Outbox::Open(f.Options()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use"));
  f.Close();
  EXPECT_TRUE(Outbox::Open(f.Options()).ok());
}

TEST(OutboxReader, ListsInPagesBesideTheOpenOutbox) {
  OutboxFixture f;
  f.Open();
  Bill(f, 3);
  ASSERT_TRUE(f.PutHealth().ok());
  auto reader = OutboxReader::Open(f.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto page = (*reader)->List(3, "", f.clock.Now());
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->reports.size(), 3);
  EXPECT_EQ(page->reports[2].key.lane, LANE_BILLING);
  EXPECT_GT(page->reports[0].size_bytes, 0);
  EXPECT_THAT(page->reports[0].waiting_for, Not(IsEmpty()));
  page = (*reader)->List(3, page->next_page_token, f.clock.Now());
  ASSERT_EQ(page->reports.size(), 1);
  EXPECT_EQ(page->reports[0].key.lane, LANE_HEALTH);
  EXPECT_THAT(page->next_page_token, IsEmpty());
  EXPECT_TRUE(absl::IsInvalidArgument(
      (*reader)->List(3, "1.x", f.clock.Now()).status()));
}

TEST(OutboxReader, MissingFileIsAnError) {
  OutboxFixture f;
  EXPECT_TRUE(absl::IsNotFound(OutboxReader::Open(f.path()).status()));
}

}  // namespace
}  // namespace mc::agent

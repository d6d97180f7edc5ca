// Events: kept, bounded, batched, declared where they had to go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster-agent/outbox/event_rows.h"
#include "cluster-agent/outbox/fixture.h"
#include "common/sqlite/database.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using v1::LANE_BILLING;
using v1::LANE_EVENTS;

v1::ClusterEvent Event(const std::string& id) {
  v1::ClusterEvent event;
  event.set_event_id(id);
  event.set_type(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
  event.set_severity(v1::SEVERITY_INFO);
  *event.mutable_occurred_at() = mc::ToProto(kTen);
  return event;
}

// Records events named first to last, one at a time.
void Record(OutboxFixture& f, int first, int last) {
  for (int i = first; i <= last; ++i) {
    ASSERT_TRUE(f.RecordEvents({Event(absl::StrCat(i))}).ok());
  }
}

std::vector<std::string> Ids(const v1::ReportEnvelope& report) {
  std::vector<std::string> ids;
  for (const v1::ClusterEvent& event : report.cluster_events().events()) {
    ids.push_back(event.event_id());
  }
  return ids;
}

std::vector<std::string> Dropped(const v1::ReportEnvelope& report) {
  std::vector<std::string> ranges;
  for (const v1::DroppedRange& range : report.dropped()) {
    ranges.push_back(
        absl::StrCat(range.first_sequence(), "-", range.last_sequence()));
  }
  return ranges;
}

std::vector<v1::ReportEnvelope> Reports(OutboxFixture& f) {
  std::vector<v1::ReportEnvelope> reports;
  for (const OutboxReport& report : f.Waiting(LANE_EVENTS)) {
    reports.push_back(EnvelopeOf(report));
  }
  return reports;
}

// The listed events' IDs, "+" where they are acknowledged.
std::vector<std::string> Listed(OutboxFixture& f, int page_size = 1000,
                                std::string token = "") {
  std::vector<std::string> listed;
  const auto page = f.outbox().reader().ListEvents(page_size, token);
  EXPECT_TRUE(page.ok()) << page.status();
  for (const v1::RecordedEvent& event : page->events) {
    listed.push_back(event.event().event_id() +
                     (event.acknowledged() ? "+" : ""));
  }
  return listed;
}

ReportKey KeyOf(const v1::ReportEnvelope& report) {
  return {report.lane(), report.epoch(), report.sequence()};
}

void Change(const OutboxFixture& f, const std::string& sql) {
  auto database = sqlite::Database::Open(f.path());
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE((*database)->Exec(sql).ok());
}

TEST(OutboxEvents, WhatWaitsGoesInOneReport) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 3);
  const std::vector<v1::ReportEnvelope> reports = Reports(f);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].sequence(), 1u);
  EXPECT_EQ(reports[0].cluster_events().cluster_id(), f.Options().cluster_id);
  EXPECT_THAT(Ids(reports[0]), ElementsAre("1", "2", "3"));
  EXPECT_THAT(Dropped(reports[0]), IsEmpty());
}

TEST(OutboxEvents, AReportHoldsAtMostAHundred) {
  OutboxFixture f;
  f.Open();
  std::vector<v1::ClusterEvent> events;
  for (int i = 0; i < 250; ++i) events.push_back(Event(absl::StrCat(i)));
  ASSERT_TRUE(f.RecordEvents(events).ok());
  const std::vector<v1::ReportEnvelope> reports = Reports(f);
  ASSERT_EQ(reports.size(), 3u);
  EXPECT_EQ(reports[0].cluster_events().events_size(), 100);
  EXPECT_EQ(reports[2].cluster_events().events_size(), 50);
}

TEST(OutboxEvents, AReportHoldsATenthOfWhatIsKeptAtMost) {
  EXPECT_EQ(MaxEventsPerReport(10000), 100);
  EXPECT_EQ(MaxEventsPerReport(100), 10);
  EXPECT_EQ(MaxEventsPerReport(3), 1);
}

TEST(OutboxEvents, ANumberedReportKeepsItsBytes) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 2);
  const std::string bytes = f.Waiting(LANE_EVENTS)[0].request;
  Record(f, 3, 3);
  f.Open();
  const std::vector<OutboxReport> waiting = f.Waiting(LANE_EVENTS);
  ASSERT_EQ(waiting.size(), 2u);
  EXPECT_EQ(waiting[0].request, bytes);
  EXPECT_THAT(Ids(EnvelopeOf(waiting[1])), ElementsAre("3"));
}

TEST(OutboxEvents, AKnownIdIsNotRecordedAgain) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 1);
  ASSERT_TRUE(f.Acknowledge(KeyOf(Reports(f)[0])).ok());
  f.Open();
  const auto result = f.RecordEvents({Event("1"), Event("2"), Event("2")});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->recorded, 1);
  EXPECT_EQ(result->repeated, 2);
  ASSERT_EQ(Reports(f).size(), 1u);
  EXPECT_THAT(Ids(Reports(f)[0]), ElementsAre("2"));
}

TEST(OutboxEvents, AcknowledgedOnesStayListed) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 2);
  ASSERT_TRUE(f.Acknowledge(KeyOf(Reports(f)[0])).ok());
  Record(f, 3, 3);
  EXPECT_THAT(Listed(f), ElementsAre("3", "2+", "1+"));
  EXPECT_THAT(f.Waiting(LANE_EVENTS).size(), 1u);
  const auto first = f.outbox().reader().ListEvents(2, "");
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(Listed(f, 2, first->next_page_token), ElementsAre("1+"));
  EXPECT_FALSE(f.outbox().reader().ListEvents(2, "x").ok());
  const auto last =
      f.outbox().reader().LastEvent({v1::CLUSTER_EVENT_TYPE_NODE_STARTED,
                                     v1::CLUSTER_EVENT_TYPE_NODE_STOPPED});
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->event_id(), "3");
  EXPECT_TRUE(
      absl::IsNotFound(f.outbox()
                           .reader()
                           .LastEvent({v1::CLUSTER_EVENT_TYPE_NODE_STOPPED})
                           .status()));
}

TEST(OutboxEvents, BeyondTheBoundTheOldestGoAndTheGapIsDeclared) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.max_events = 3;
  f.Open(options);
  Record(f, 1, 2);
  ASSERT_EQ(Reports(f).size(), 2u);  // Sequences 1 and 2.
  Record(f, 3, 5);
  f.Open(options);
  Record(f, 6, 6);
  f.Open(options);
  const std::vector<v1::ReportEnvelope> reports = Reports(f);
  ASSERT_EQ(reports.size(), 3u);
  // 1 and 2 had a report; 3 went without one.
  EXPECT_THAT(Dropped(reports[0]), ElementsAre("1-3"));
  EXPECT_EQ(reports[0].sequence(), 4u);
  EXPECT_THAT(Ids(reports[0]), ElementsAre("4"));
  EXPECT_THAT(Ids(reports[2]), ElementsAre("6"));
  // Once declared, it is not declared again.
  EXPECT_THAT(Dropped(reports[1]), IsEmpty());
  Record(f, 7, 7);
  ASSERT_EQ(Reports(f).size(), 3u);
  EXPECT_THAT(Ids(Reports(f)[2]), ElementsAre("7"));
  EXPECT_THAT(Dropped(Reports(f)[2]), ElementsAre("1-4"))
      << "unless the report that declared it had to go, too";
}

TEST(OutboxEvents, TellsHowManyWereDropped) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.max_events = 2;
  std::vector<int64_t> told;
  options.on_events_dropped = [&](int64_t n) { told.push_back(n); };
  f.Open(options);
  Record(f, 1, 2);
  const auto result = f.RecordEvents({Event("3")});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->dropped, 1);
  EXPECT_THAT(told, IsEmpty()) << "it could not be sent";
  EXPECT_EQ(Reports(f).size(), 2u);
  EXPECT_THAT(told, ElementsAre(1));
  f.Waiting(LANE_EVENTS);
  EXPECT_THAT(told, ElementsAre(1));
}

TEST(OutboxEvents, AcknowledgedOnesDoNotCountAgainstTheBound) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.max_events = 2;
  f.Open(options);
  Record(f, 1, 2);
  for (const v1::ReportEnvelope& report : Reports(f)) {
    ASSERT_TRUE(f.Acknowledge(KeyOf(report)).ok());
  }
  Record(f, 3, 4);
  EXPECT_THAT(Listed(f), ElementsAre("4", "3", "2+", "1+"));
  ASSERT_EQ(Reports(f).size(), 2u);
  EXPECT_THAT(Dropped(Reports(f)[0]), IsEmpty());
}

TEST(OutboxEvents, BillingIsNeverDroppedForEvents) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.max_events = 1;
  f.Open(options);
  ASSERT_TRUE(f.Record({SessionsRecord("k", "env", 1, f.clock.Now())}).ok());
  f.clock.Advance(absl::Hours(1));
  ASSERT_TRUE(f.outbox().CloseFrames().ok());
  Record(f, 1, 50);
  EXPECT_EQ(f.Waiting(LANE_BILLING).size(), 1u);
}

TEST(OutboxEvents, WithoutSpaceEventsAreShedAndUsageIsKept) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.event_floor_bytes = std::numeric_limits<int64_t>::max();
  std::vector<bool> told;
  options.on_disk_full = [&](bool full) { told.push_back(full); };
  f.Open(options);
  EXPECT_TRUE(absl::IsResourceExhausted(f.RecordEvents({Event("1")}).status()));
  EXPECT_TRUE(f.Record({SessionsRecord("k", "env", 1, f.clock.Now())}).ok());
  f.Close();
  EXPECT_THAT(told, ElementsAre(true, false));
}

TEST(OutboxEvents, TakenNumbersLeadToANewEpochAndNothingIsLost) {
  OutboxFixture f;
  Outbox::Options options = f.Options();
  options.max_events = 3;
  f.Open(options);
  Record(f, 1, 4);  // One dropped.
  const v1::ReportEnvelope before = Reports(f).at(0);
  ASSERT_TRUE(
      f.Reject(KeyOf(before), v1::ERROR_REASON_REPORT_CONFLICT, false).ok());
  const v1::ReportEnvelope after = Reports(f).at(0);
  EXPECT_GT(after.epoch(), before.epoch());
  ASSERT_EQ(Reports(f).size(), 3u);
  EXPECT_THAT(Ids(after), ElementsAre("2"));
  EXPECT_THAT(Ids(Reports(f)[2]), ElementsAre("4"));
  EXPECT_THAT(Dropped(after), ElementsAre("1-1"));
  EXPECT_EQ(after.sequence(), 2u);
}

TEST(OutboxEvents, ARestoredDiskLeadsToANewEpoch) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 2);
  const v1::ReportEnvelope before = Reports(f).at(0);
  v1::LaneMark mark;
  mark.set_lane(LANE_EVENTS);
  mark.set_epoch(before.epoch());
  mark.set_highest_accepted_sequence(7);
  const auto result =
      f.outbox().ApplyWelcome(1, std::vector<v1::LaneMark>{mark});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->epochs_changed);
  ASSERT_EQ(Reports(f).size(), 1u);
  EXPECT_GT(Reports(f)[0].epoch(), before.epoch());
  EXPECT_THAT(Ids(Reports(f)[0]), ElementsAre("1", "2"));
}

TEST(OutboxEvents, ARefusedReportIsSetAsideAndItsNumberDeclared) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 1);
  const ReportKey key = KeyOf(Reports(f).at(0));
  ASSERT_TRUE(f.Reject(key, v1::ERROR_REASON_INVALID_FIELD, false).ok());
  ASSERT_TRUE(f.Reject(key, v1::ERROR_REASON_INVALID_FIELD, false).ok());
  EXPECT_THAT(f.Waiting(LANE_EVENTS), IsEmpty());
  Record(f, 2, 2);
  EXPECT_THAT(Ids(Reports(f).at(0)), ElementsAre("2"));
  EXPECT_THAT(Dropped(Reports(f).at(0)), ElementsAre("1-1"));
  EXPECT_EQ(f.outbox().reader().Stats()->set_aside_reports, 1);
  EXPECT_THAT(Listed(f), ElementsAre("2", "1"));
}

TEST(OutboxEvents, AResendableRejectionLeavesTheReport) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 1);
  const std::string bytes = f.Waiting(LANE_EVENTS)[0].request;
  ASSERT_TRUE(
      f.Reject(f.Waiting(LANE_EVENTS)[0].key, v1::ERROR_REASON_OVERLOADED, true)
          .ok());
  ASSERT_EQ(f.Waiting(LANE_EVENTS).size(), 1u);
  EXPECT_EQ(f.Waiting(LANE_EVENTS)[0].request, bytes);
}

TEST(OutboxEvents, EventsOfADamagedReportGoInAnotherOne) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 2);
  ASSERT_EQ(Reports(f).size(), 1u);
  f.Close();
  Change(f, "UPDATE report SET request = x'00' WHERE lane = 2");
  f.Open();
  EXPECT_THAT(f.Waiting(LANE_EVENTS), IsEmpty());
  EXPECT_THAT(f.damage, ElementsAre(HasSubstr("report 1")));
  ASSERT_EQ(Reports(f).size(), 1u);
  EXPECT_THAT(Ids(Reports(f)[0]), ElementsAre("1", "2"));
  EXPECT_THAT(Dropped(Reports(f)[0]), ElementsAre("1-1"));
}

TEST(OutboxEvents, ADamagedEventIsSetAsideAndTheOthersGo) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 3);
  f.Close();
  Change(f, "UPDATE event SET payload = x'00' WHERE event_id = '2'");
  f.Open();
  EXPECT_THAT(Ids(Reports(f).at(0)), ElementsAre("1", "3"));
  EXPECT_THAT(f.damage, ElementsAre(HasSubstr("event 2")));
  EXPECT_THAT(Listed(f), ElementsAre("3", "1"));
}

TEST(OutboxEvents, WhatMayNotLeaveStaysAndIsListed) {
  OutboxFixture f;
  f.Open();
  Record(f, 1, 1);
  ASSERT_EQ(Reports(f).size(), 1u);
  Outbox::Options options = f.Options();
  options.send_events = false;
  f.Open(options);
  Record(f, 2, 2);
  EXPECT_THAT(f.Waiting(LANE_EVENTS), IsEmpty());
  EXPECT_THAT(Listed(f), ElementsAre("2", "1"));
  f.Open();
  EXPECT_THAT(f.Waiting(LANE_EVENTS), IsEmpty())
      << "what was recorded without permission never leaves";
  Record(f, 3, 3);
  EXPECT_THAT(Ids(Reports(f).at(0)), ElementsAre("3"));
  EXPECT_THAT(Dropped(Reports(f).at(0)), ElementsAre("1-1"));
}

TEST(OutboxEvents, OfThoseNotToBeSentTheNewestAreKept) {
  OutboxFixture f;
  f.Open();
  std::vector<v1::ClusterEvent> events;
  for (int i = 0; i < kKeptEvents; ++i) {
    events.push_back(Event(absl::StrCat(i)));
  }
  Outbox::Options options = f.Options();
  options.send_events = false;
  f.Open(options);
  ASSERT_TRUE(f.RecordEvents(events).ok());
  ASSERT_TRUE(f.RecordEvents({Event("new"), Event("newer")}).ok());
  EXPECT_EQ(f.RecordEvents({Event("0"), Event("2")})->repeated, 1);
}

}  // namespace
}  // namespace mc::agent

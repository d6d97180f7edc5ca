#include "mc-service/domain/reports/report_desk.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/pacing/admission.h"
#include "mc-service/domain/testing/held_store.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

class ReportDeskTest : public testing::Test {
 protected:
  ReportDeskTest() {
    EXPECT_TRUE(Seed(fake_, SeedLicense(clock_.Now()), {"c-1"}).ok());
  }

  v1::ReportEnvelope Envelope(v1::Lane lane, uint64_t sequence) {
    v1::ReportEnvelope report;
    report.set_lane(lane);
    report.set_epoch(7);
    report.set_sequence(sequence);
    *report.mutable_created_at() = ToProto(clock_.Now());
    return report;
  }

  v1::ReportEnvelope Usage(uint64_t sequence, int64_t sessions = 120) {
    v1::ReportEnvelope report = Envelope(v1::LANE_BILLING, sequence);
    v1::Consumption* consumption = report.mutable_consumption();
    consumption->set_cluster_id("c-1");
    *consumption->mutable_time_frame()->mutable_start() = ToProto(clock_.Now());
    *consumption->mutable_time_frame()->mutable_end() =
        ToProto(clock_.Now() + absl::Hours(1));
    v1::EnvironmentConsumption* e = consumption->add_environments();
    e->set_environment_id("env-1");
    e->set_rum_sessions(sessions);
    return report;
  }

  v1::ReportEnvelope Health(uint64_t sequence, double load = 0.5) {
    v1::ReportEnvelope report = Envelope(v1::LANE_HEALTH, sequence);
    v1::HealthCheck* check = report.mutable_health_check();
    check->set_cluster_id("c-1");
    v1::NodeHealth* node = check->add_nodes();
    node->set_node_id("node-1");
    node->set_cpu_load(load);
    return report;
  }

  v1::ReportEnvelope Events(uint64_t sequence,
                            const std::vector<std::string>& ids) {
    v1::ReportEnvelope report = Envelope(v1::LANE_EVENTS, sequence);
    report.mutable_cluster_events()->set_cluster_id("c-1");
    for (const std::string& id : ids) {
      v1::ClusterEvent* event = report.mutable_cluster_events()->add_events();
      event->set_event_id(id);
      event->set_type(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
      event->set_severity(v1::SEVERITY_INFO);
      *event->mutable_occurred_at() = ToProto(clock_.Now());
    }
    return report;
  }

  // Newest first.
  std::vector<std::string> StoredEvents() {
    std::vector<std::string> ids;
    (void)fake_.Read([&](Reader& reader) {
      const auto listed = reader.ListEvents({}, {});
      EXPECT_TRUE(listed.ok()) << listed.status();
      for (const StoredEvent& event : listed->items) {
        ids.push_back(event.event.event_id());
      }
      return absl::OkStatus();
    });
    return ids;
  }

  v1::ReportReceipt Accept(const v1::ReportEnvelope& report) {
    absl::Notification received;
    v1::ReportReceipt receipt;
    desk_.Accept({.cluster_id = "c-1",
                  .digest = Sha256(report.SerializeAsString()),
                  .report = report},
                 [&](v1::ReportReceipt r) {
                   receipt = std::move(r);
                   received.Notify();
                 });
    received.WaitForNotification();
    EXPECT_EQ(receipt.lane(), report.lane());
    EXPECT_EQ(receipt.epoch(), report.epoch());
    EXPECT_EQ(receipt.sequence(), report.sequence());
    return receipt;
  }

  void ExpectRejected(const v1::ReportReceipt& receipt, v1::ErrorReason reason,
                      bool resendable) {
    ASSERT_TRUE(receipt.has_rejection()) << receipt.DebugString();
    EXPECT_EQ(receipt.rejection().reason(), reason) << receipt.DebugString();
    EXPECT_EQ(receipt.rejection().resendable(), resendable);
    EXPECT_FALSE(receipt.rejection().message().empty());
  }

  int64_t StoredSessions() {
    int64_t sessions = -1;
    EXPECT_TRUE(fake_
                    .Read([&](Reader& reader) -> absl::Status {
                      auto sums =
                          reader.SumUsage("license-1", "", absl::InfinitePast(),
                                          absl::InfiniteFuture());
                      if (!sums.ok()) return sums.status();
                      sessions = sums->rum_sessions;
                      return absl::OkStatus();
                    })
                    .ok());
    return sessions;
  }

  std::vector<StoredFinding> Findings() {
    std::vector<StoredFinding> findings;
    (void)fake_.Read([&](Reader& reader) {
      findings = reader.ListFindings({}, {})->items;
      return absl::OkStatus();
    });
    return findings;
  }

  absl::StatusOr<StoredHealth> LatestHealth() {
    absl::StatusOr<StoredHealth> health;
    (void)fake_.Read([&](Reader& reader) {
      health = reader.LatestHealth("c-1");
      return absl::OkStatus();
    });
    return health;
  }

  // 2026-11-21T10:00:00Z.
  SimulatedClock clock_{absl::FromUnixSeconds(1'795'255'200)};
  FakeStore fake_;
  HeldStore store_{&fake_};
  DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  int conflicts_ = 0;
  ReportDesk desk_{{.store = &store_,
                    .signer = &signer_,
                    .clock = &clock_,
                    .overload_retry_delay = absl::Seconds(3),
                    .on_conflict = [this](const ReportKey&) { ++conflicts_; }}};
};

TEST_F(ReportDeskTest, ConsumptionIsRecordedAndItsReceiptSigned) {
  const v1::ReportEnvelope report = Usage(1);
  const v1::ReportReceipt receipt = Accept(report);
  ASSERT_TRUE(receipt.has_consumption()) << receipt.DebugString();
  EXPECT_EQ(receipt.consumption().environments(0).consumed_rum_sessions(), 120);
  const std::vector<v1::DocumentKey> keys = {signer_.document_key()};
  const auto document = VerifyDocument<v1::ConsumptionReceiptDocument>(
      receipt.signed_receipt(), keys, v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->cluster_id(), "c-1");
  EXPECT_EQ(document->epoch(), 7u);
  EXPECT_EQ(document->sequence(), 1u);
  EXPECT_EQ(document->report_sha256(), Sha256(report.SerializeAsString()));
  EXPECT_EQ(document->time_frame().start().seconds(),
            report.consumption().time_frame().start().seconds());
  EXPECT_EQ(StoredSessions(), 120);
}

TEST_F(ReportDeskTest, RepeatedReportIsCountedOnceAndGetsTheSameReceipt) {
  const v1::ReportReceipt first = Accept(Usage(1));
  const v1::ReportEnvelope repeat = Usage(1);
  Accept(Usage(2, 30));
  clock_.Advance(absl::Minutes(10));
  const v1::ReportReceipt again = Accept(repeat);
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(StoredSessions(), 150);
}

TEST_F(ReportDeskTest, OtherContentUnderTheSameKeyIsAConflict) {
  Accept(Usage(1, 120));
  ExpectRejected(Accept(Usage(1, 121)), v1::ERROR_REASON_REPORT_CONFLICT,
                 /*resendable=*/false);
  EXPECT_EQ(StoredSessions(), 120) << "the first is kept";
  EXPECT_EQ(conflicts_, 1);
  EXPECT_TRUE(Accept(Usage(1, 120)).has_consumption());
}

TEST_F(ReportDeskTest, ConflictIsAFindingThatCountsUp) {
  Accept(Usage(1, 120));
  Accept(Usage(1, 121));
  Accept(Usage(1, 122));
  const auto findings = Findings();
  ASSERT_EQ(findings.size(), 1u);
  const Sighting& last = findings[0].last;
  EXPECT_EQ(last.key.cluster_id, "c-1");
  EXPECT_EQ(last.key.kind, v1::FINDING_KIND_REPORT_CONFLICT);
  EXPECT_EQ(last.severity, v1::SEVERITY_SEVERE);
  EXPECT_EQ(last.time_frame,
            (TimeSpan{clock_.Now(), clock_.Now() + absl::Hours(1)}));
  EXPECT_EQ(findings[0].count, 2);
}

TEST_F(ReportDeskTest, MissingReportsAreAGapUntilTheyCome) {
  const auto gaps = [&] {
    size_t count = 99;
    (void)fake_.Read([&](Reader& reader) {
      count = reader.OpenGaps({.cluster_id = "c-1"}, {})->items.size();
      return absl::OkStatus();
    });
    return count;
  };
  Accept(Usage(1));
  Accept(Usage(3));
  EXPECT_EQ(gaps(), 1u);
  Accept(Usage(3));
  EXPECT_EQ(gaps(), 1u) << "a repeat changes nothing";
  Accept(Usage(2));
  EXPECT_EQ(gaps(), 0u);
}

TEST_F(ReportDeskTest, BacklogIsPacedAndFreshReportsAreNot) {
  // One a second, and one in debt.
  Admission backlog({.per_second = 1,
                     .queue = absl::Seconds(1),
                     .longest_retry = absl::Minutes(1)});
  ReportDesk desk({.store = &fake_,
                   .signer = &signer_,
                   .clock = &clock_,
                   .backlog = &backlog,
                   .on_conflict = nullptr});
  const auto accept = [&](v1::ReportEnvelope report) {
    absl::Notification received;
    v1::ReportReceipt receipt;
    desk.Accept({.cluster_id = "c-1",
                 .digest = Sha256(report.SerializeAsString()),
                 .report = std::move(report)},
                [&](v1::ReportReceipt r) {
                  receipt = std::move(r);
                  received.Notify();
                });
    received.WaitForNotification();
    return receipt;
  };
  const auto old = [&](uint64_t sequence) {
    v1::ReportEnvelope report = Usage(sequence);
    *report.mutable_created_at() = ToProto(clock_.Now() - absl::Hours(3));
    return report;
  };
  EXPECT_FALSE(accept(old(1)).has_pacing());
  EXPECT_FALSE(accept(old(2)).has_pacing());
  const v1::ReportReceipt refused = accept(old(3));
  ExpectRejected(refused, v1::ERROR_REASON_OVERLOADED, /*resendable=*/true);
  EXPECT_TRUE(refused.pacing().has_retry_after());
  EXPECT_FALSE(accept(Usage(4)).has_pacing());
  EXPECT_FALSE(accept(Health(1)).has_pacing());
  v1::Hello hello;
  hello.set_cluster_id("c-1");
  hello.set_agent_instance_id("agent-1");
  EXPECT_TRUE(desk.Greet(hello)->pacing().has_retry_after());
  const v1::ReportEnvelope again = old(3);
  clock_.Advance(absl::Milliseconds(500));
  const v1::ReportReceipt slowed = accept(again);
  EXPECT_TRUE(slowed.has_consumption()) << slowed.DebugString();
  EXPECT_TRUE(slowed.pacing().has_retry_after());
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(desk.Greet(hello)->has_pacing());
}

TEST_F(ReportDeskTest, UsageOfASuspendedLicenseIsRecorded) {
  ASSERT_TRUE(fake_
                  .WriteAndWait([](Writer& writer) {
                    return writer.SetLicenseState("license-1",
                                                  v1::LICENSE_STATE_SUSPENDED);
                  })
                  .ok());
  EXPECT_TRUE(Accept(Usage(1)).has_consumption());
  EXPECT_EQ(StoredSessions(), 120);
}

TEST_F(ReportDeskTest, InvalidReportsAreRejectedForGood) {
  std::vector<std::pair<v1::ReportEnvelope, v1::ErrorReason>> cases;
  auto add = [&](v1::ReportEnvelope report, v1::ErrorReason reason) {
    cases.emplace_back(std::move(report), reason);
  };
  add(Envelope(v1::LANE_BILLING, 1), v1::ERROR_REASON_INVALID_FIELD);
  add(Usage(0), v1::ERROR_REASON_INVALID_FIELD);
  add(Usage(uint64_t{1} << 63), v1::ERROR_REASON_INVALID_FIELD);
  v1::ReportEnvelope report = Usage(1);
  report.clear_created_at();
  add(report, v1::ERROR_REASON_INVALID_FIELD);
  report = Usage(1);
  report.set_epoch(std::numeric_limits<uint64_t>::max());
  add(report, v1::ERROR_REASON_INVALID_FIELD);
  report = Usage(1);
  report.set_lane(v1::LANE_HEALTH);
  add(report, v1::ERROR_REASON_LANE_MISMATCH);
  report = Usage(1);
  report.set_lane(v1::LANE_UNSPECIFIED);
  add(report, v1::ERROR_REASON_LANE_MISMATCH);
  report = Usage(1);
  report.mutable_consumption()->clear_cluster_id();
  add(report, v1::ERROR_REASON_INVALID_FIELD);
  report = Usage(1);
  report.mutable_consumption()->mutable_environments(0)->set_environment_id(
      "no such id");
  add(report, v1::ERROR_REASON_INVALID_FIELD);
  report = Usage(1);
  report.mutable_consumption()
      ->mutable_time_frame()
      ->mutable_end()
      ->set_seconds(report.consumption().time_frame().end().seconds() + 1);
  add(report, v1::ERROR_REASON_TIME_FRAME_INVALID);
  report = Health(1, std::numeric_limits<double>::quiet_NaN());
  add(report, v1::ERROR_REASON_INVALID_FIELD);
  for (const auto& [invalid, reason] : cases) {
    ExpectRejected(Accept(invalid), reason, /*resendable=*/false);
  }
  EXPECT_EQ(StoredSessions(), 0);
  EXPECT_TRUE(absl::IsNotFound(LatestHealth().status()));
}

TEST_F(ReportDeskTest, EventsAreStoredOnce) {
  const v1::ReportReceipt first = Accept(Events(1, {"e-1", "e-2"}));
  EXPECT_TRUE(first.has_cluster_events()) << first.DebugString();
  EXPECT_TRUE(Accept(Events(1, {"e-1", "e-2"})).has_cluster_events());
  EXPECT_EQ(StoredEvents(), std::vector<std::string>({"e-2", "e-1"}));
}

TEST_F(ReportDeskTest, AnEventThatWasNumberedAnewIsStoredOnce) {
  EXPECT_TRUE(Accept(Events(1, {"e-1"})).has_cluster_events());
  EXPECT_TRUE(Accept(Events(2, {"e-1", "e-2"})).has_cluster_events());
  EXPECT_EQ(StoredEvents(), std::vector<std::string>({"e-2", "e-1"}));
}

TEST_F(ReportDeskTest, OtherEventsUnderTheSameKeyAreAConflict) {
  Accept(Events(1, {"e-1"}));
  ExpectRejected(Accept(Events(1, {"e-2"})), v1::ERROR_REASON_REPORT_CONFLICT,
                 /*resendable=*/false);
  EXPECT_EQ(conflicts_, 1);
  EXPECT_EQ(StoredEvents(), std::vector<std::string>({"e-1"}));
}

TEST_F(ReportDeskTest, DeclaredRangesAreKept) {
  v1::ReportEnvelope report = Events(9, {"e-1"});
  report.add_dropped()->set_first_sequence(3);
  report.mutable_dropped(0)->set_last_sequence(8);
  EXPECT_TRUE(Accept(report).has_cluster_events());
  absl::StatusOr<Paged<DroppedEvents>> dropped;
  (void)fake_.Read([&](Reader& reader) {
    dropped = reader.ListDroppedEvents("c-1", {});
    return absl::OkStatus();
  });
  ASSERT_TRUE(dropped.ok());
  ASSERT_EQ(dropped->items.size(), 1u);
  EXPECT_EQ(dropped->items[0].epoch, 7u);
  EXPECT_EQ(dropped->items[0].first_sequence, 3u);
  EXPECT_EQ(dropped->items[0].last_sequence, 8u);
  const auto findings = Findings();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].last.key.kind, v1::FINDING_KIND_EVENTS_DROPPED);
  EXPECT_EQ(findings[0].last.time_frame, std::nullopt);
}

TEST_F(ReportDeskTest, OneBadEventRefusesItsReport) {
  ExpectRejected(Accept(Events(1, {"e-1", "e-1"})),
                 v1::ERROR_REASON_INVALID_FIELD, /*resendable=*/false);
  ExpectRejected(Accept(Events(1, {"e-1", "no id\n"})),
                 v1::ERROR_REASON_INVALID_FIELD, /*resendable=*/false);
  EXPECT_TRUE(StoredEvents().empty());
}

TEST_F(ReportDeskTest, LatestHealthCheckWins) {
  EXPECT_EQ(Accept(Health(5, 0.5)).health_check().status(),
            v1::HEALTH_STATUS_HEALTHY);
  EXPECT_TRUE(Accept(Health(4, 0.4)).has_health_check())
      << "an older one is answered";
  EXPECT_TRUE(Accept(Health(5, 0.9)).has_health_check());
  ASSERT_TRUE(LatestHealth().ok());
  EXPECT_EQ(LatestHealth()->health_check.nodes(0).cpu_load(), 0.5);
  Accept(Health(6, 0.6));
  EXPECT_EQ(LatestHealth()->health_check.nodes(0).cpu_load(), 0.6);
  EXPECT_EQ(LatestHealth()->result.status(), v1::HEALTH_STATUS_HEALTHY);
}

TEST_F(ReportDeskTest, ReceiptWaitsForTheCommit) {
  store_.Hold();
  absl::Notification received;
  desk_.Accept({.cluster_id = "c-1", .digest = "d", .report = Usage(1)},
               [&](v1::ReportReceipt) { received.Notify(); });
  EXPECT_EQ(store_.held(), 1u);
  EXPECT_FALSE(received.HasBeenNotified());
  store_.Release();
  received.WaitForNotification();
  EXPECT_EQ(StoredSessions(), 120);
}

TEST_F(ReportDeskTest, StoreInTroubleMakesReportsComeAgain) {
  for (const absl::Status& trouble :
       {absl::UnavailableError("io error"),
        absl::ResourceExhaustedError("disk full")}) {
    store_.FailCommits(trouble);
    ExpectRejected(Accept(Usage(1)), v1::ERROR_REASON_STORE_UNAVAILABLE,
                   /*resendable=*/true);
  }
  store_.FailCommits(absl::OkStatus());
  EXPECT_EQ(StoredSessions(), 0);
  EXPECT_TRUE(Accept(Usage(1)).has_consumption());
}

TEST_F(ReportDeskTest, FullQueueSaysWhenToComeAgain) {
  store_.Refuse(true);
  const v1::ReportReceipt receipt = Accept(Usage(1));
  ExpectRejected(receipt, v1::ERROR_REASON_OVERLOADED, /*resendable=*/true);
  EXPECT_EQ(receipt.pacing().retry_after().seconds(), 3);
}

TEST_F(ReportDeskTest, WelcomeTellsTheMarksOfEachEpoch) {
  Accept(Usage(1));
  Accept(Usage(2));
  Accept(Health(9));
  v1::Hello hello;
  hello.set_cluster_id("c-1");
  hello.set_agent_instance_id("agent-1");
  for (auto [lane, epoch] :
       {std::pair(v1::LANE_BILLING, 7), std::pair(v1::LANE_HEALTH, 7),
        std::pair(v1::LANE_EVENTS, 1)}) {
    v1::LaneEpoch* declared = hello.add_epochs();
    declared->set_lane(lane);
    declared->set_epoch(epoch);
  }
  const absl::StatusOr<v1::Welcome> welcome = desk_.Greet(hello);
  ASSERT_TRUE(welcome.ok()) << welcome.status();
  ASSERT_EQ(welcome->marks_size(), 3);
  EXPECT_EQ(welcome->marks(0).highest_accepted_sequence(), 2u);
  EXPECT_EQ(welcome->marks(1).highest_accepted_sequence(), 9u);
  EXPECT_EQ(welcome->marks(2).highest_accepted_sequence(), 0u);
  uint64_t epoch = 0;
  ASSERT_TRUE(fake_
                  .Read([&](Reader& reader) -> absl::Status {
                    auto e = reader.ServiceEpoch();
                    if (e.ok()) epoch = *e;
                    return e.status();
                  })
                  .ok());
  EXPECT_EQ(welcome->service_epoch(), epoch);
}

TEST_F(ReportDeskTest, HelloNamesEachLaneOnce) {
  v1::Hello hello;
  hello.set_cluster_id("c-1");
  hello.add_epochs()->set_lane(v1::LANE_BILLING);
  hello.add_epochs()->set_lane(v1::LANE_BILLING);
  EXPECT_TRUE(absl::IsInvalidArgument(desk_.Greet(hello).status()));
  hello.mutable_epochs()->RemoveLast();
  EXPECT_TRUE(desk_.Greet(hello).ok());
  hello.add_epochs()->set_lane(static_cast<v1::Lane>(99));
  EXPECT_TRUE(absl::IsInvalidArgument(desk_.Greet(hello).status()));
}

}  // namespace
}  // namespace mc::service

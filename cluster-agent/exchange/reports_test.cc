#include "cluster-agent/exchange/reports.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster-agent/domain/events/recording_sink.h"
#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/exchange/fake_service.h"
#include "cluster-agent/outbox/fixture.h"
#include "common/executor/executor.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr absl::Duration kMaxPause = absl::Seconds(10);
// Of OutboxFixture.
constexpr char kCluster[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

class ReportsTest : public testing::Test {
 protected:
  ReportsTest() {
    links_.Set(std::make_shared<ClusterLink>(service_.channel()));
    outbox_.Open();
    reports_ = std::make_unique<Reports>(
        Reports::Options{.links = &links_,
                         .in_flight = &in_flight_,
                         .executor = &executor_,
                         .clock = &outbox_.clock,
                         .timers = &timers_,
                         .board = &board_,
                         .outbox = &outbox_.outbox(),
                         .pacer = {.interval = absl::InfiniteDuration(),
                                   .backoff_initial = absl::Seconds(1),
                                   .backoff_max = kMaxPause},
                         .draw = [] { return 0.5; },
                         .cluster_id = kCluster,
                         .agent_instance_id = "instance",
                         .document_keys = &document_keys_,
                         .window = 4,
                         .events = &events_,
                         .on_over = [](const absl::Status&) {},
                         .on_health_pacing = [](const v1::Pacing&) {}});
  }
  ~ReportsTest() override {
    reports_->Close();
    in_flight_.CancelAndWait();
    timers_.Stop();
    executor_.Shutdown();
    outbox_.Close();
  }

  // One report of the lane BILLING.
  void UseSomething() {
    const absl::Time now = outbox_.clock.Now();
    ASSERT_TRUE(outbox_
                    .Record({SessionsRecord("key-" + std::to_string(++used_),
                                            "env-1", 3, now)})
                    .ok());
    outbox_.clock.Advance(absl::Hours(1));
    ASSERT_TRUE(outbox_.outbox().CloseFrames().ok());
    reports_->Wake();
  }
  OutboxStats Stats() { return *outbox_.outbox().reader().Stats(); }
  v1::ExchangeStatus Status(Exchange exchange) {
    v1::GetStatusResponse status;
    board_.Fill(status);
    return status.exchanges(static_cast<int>(exchange));
  }

  v1::GetStatusResponse Board() {
    v1::GetStatusResponse status;
    board_.Fill(status);
    return status;
  }

  int used_ = 0;
  OutboxFixture outbox_;
  RecordingSink events_;
  FakeService service_{kCluster};
  KeyRing document_keys_{{service_.signer().document_key()}};
  CurrentLink links_;
  InFlight in_flight_;
  Executor executor_{2, 100};
  TimerQueue timers_{&outbox_.clock};
  StatusBoard board_{&outbox_.clock};
  std::unique_ptr<Reports> reports_;
};

TEST_F(ReportsTest, NothingIsOpenedWithoutAReport) {
  reports_->Open();
  UseSomething();
  EXPECT_EQ(service_.Hellos(1).size(), 1u);
  EXPECT_TRUE(Eventually([&] { return Stats().waiting_reports == 0; }));
}

TEST_F(ReportsTest, AReportLeavesTheOutboxWithItsReceipt) {
  UseSomething();
  const std::string bytes = outbox_.Waiting(v1::LANE_BILLING).at(0).request;
  ASSERT_TRUE(outbox_.PutHealth().ok());
  reports_->Open();
  EXPECT_TRUE(Eventually([&] { return Stats().waiting_reports == 0; }));
  const std::vector<std::string> sent = service_.Reports(2);
  EXPECT_EQ(sent[0], bytes) << "consumption comes first, as it was stored";
  const v1::Hello hello = service_.Hellos(1)[0];
  EXPECT_EQ(hello.cluster_id(), kCluster);
  EXPECT_EQ(hello.agent_instance_id(), "instance");
  EXPECT_TRUE(outbox_.outbox()
                  .reader()
                  .FindReceipt(outbox_.Epoch(v1::LANE_BILLING), 1)
                  .ok());
  EXPECT_TRUE(Eventually([&] {
    return Status(Exchange::kConsumption).succeeded() == 1 &&
           Status(Exchange::kHealthCheck).succeeded() == 1;
  }));
}

TEST_F(ReportsTest, EventsComeBetweenConsumptionAndHealth) {
  ASSERT_TRUE(outbox_.PutHealth().ok());
  v1::ClusterEvent event;
  event.set_event_id("event-1");
  event.set_type(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
  ASSERT_TRUE(outbox_.RecordEvents({event}).ok());
  UseSomething();
  reports_->Open();
  const std::vector<std::string> sent = service_.Reports(3);
  std::vector<v1::Lane> lanes;
  for (const std::string& bytes : sent) {
    v1::StreamReportsRequest request;
    ASSERT_TRUE(request.ParseFromString(bytes));
    lanes.push_back(request.report().lane());
  }
  EXPECT_EQ(lanes, std::vector<v1::Lane>(
                       {v1::LANE_BILLING, v1::LANE_EVENTS, v1::LANE_HEALTH}));
  EXPECT_TRUE(Eventually(
      [&] { return Status(Exchange::kClusterEvents).succeeded() == 1; }));
  EXPECT_TRUE(
      outbox_.outbox().reader().ListEvents(10, "")->events[0].acknowledged());
}

TEST_F(ReportsTest, AnIdleStreamIsClosed) {
  UseSomething();
  reports_->Open();
  // Time goes on only a little at a time: the stream settles first.
  EXPECT_TRUE(Eventually([&] {
    if (Stats().waiting_reports > 0) return false;
    outbox_.clock.Advance(absl::Milliseconds(100));
    return service_.EndedReports(0) == 1;
  }));
  EXPECT_EQ(Status(Exchange::kConsumption).failed(), 0);
}

TEST_F(ReportsTest, TheSameBytesAreSentAgainAfterACut) {
  FakeService::Script script;
  script.end_reports = grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
  service_.Set(script);
  UseSomething();
  reports_->Open();
  service_.EndedReports(1);
  EXPECT_TRUE(
      Eventually([&] { return Status(Exchange::kConsumption).failed() == 1; }));
  service_.Set({});
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(100));
    return Stats().waiting_reports == 0;
  }));
  const std::vector<std::string> sent = service_.Reports(2);
  EXPECT_EQ(sent[0], sent[1]);
}

TEST_F(ReportsTest, NoNewStreamWhileTheServiceIsAway) {
  FakeService::Script script;
  script.end_reports = grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
  service_.Set(script);
  UseSomething();
  reports_->Open();
  EXPECT_TRUE(
      Eventually([&] { return Status(Exchange::kConsumption).failed() == 1; }));
  reports_->Hold();
  service_.Set({});
  outbox_.clock.Advance(kMaxPause * 2);
  reports_->Wake();
  reports_->Open();
  EXPECT_TRUE(Eventually([&] { return Stats().waiting_reports == 0; }));
  EXPECT_EQ(service_.Hellos(2).size(), 2u);
}

TEST_F(ReportsTest, AStreamWithoutReceiptsIsCut) {
  FakeService::Script script;
  script.receipt = [](const v1::ReportEnvelope&, const std::string&) {
    return nullptr;
  };
  service_.Set(script);
  UseSomething();
  reports_->Open();
  service_.Reports(1);
  service_.Set({});
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Seconds(1));
    return Stats().waiting_reports == 0;
  }));
  EXPECT_GE(service_.EndedReports(1), 1);
  EXPECT_EQ(service_.Reports(2)[1], service_.Reports(2)[0]);
  EXPECT_EQ(Status(Exchange::kConsumption).failed(), 1);
}

TEST_F(ReportsTest, AReceiptThatIsNotSignedForItIsNotBelieved) {
  FakeService::Script script;
  script.receipt = [&](const v1::ReportEnvelope& report,
                       const std::string& bytes) {
    return service_.Accepted(report, bytes + "other bytes");
  };
  service_.Set(script);
  UseSomething();
  reports_->Open();
  EXPECT_TRUE(
      Eventually([&] { return Status(Exchange::kConsumption).failed() == 1; }));
  EXPECT_EQ(Stats().waiting_reports, 1);
  EXPECT_EQ(Status(Exchange::kConsumption).succeeded(), 0);
  // It is sent again later, on whatever stream, and then believed.
  service_.Set({});
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(200));
    return Stats().waiting_reports == 0;
  }));
  EXPECT_TRUE(outbox_.outbox()
                  .reader()
                  .FindReceipt(outbox_.Epoch(v1::LANE_BILLING), 1)
                  .ok());
}

TEST_F(ReportsTest, ARejectionForGoodSetsTheReportAside) {
  FakeService::Script script;
  script.receipt = [](const v1::ReportEnvelope& report, const std::string&) {
    auto receipt = std::make_unique<v1::ReportReceipt>();
    receipt->set_lane(report.lane());
    receipt->set_epoch(report.epoch());
    receipt->set_sequence(report.sequence());
    receipt->mutable_rejection()->set_reason(
        v1::ERROR_REASON_TIME_FRAME_INVALID);
    receipt->mutable_rejection()->set_message("no");
    return receipt;
  };
  service_.Set(script);
  UseSomething();
  reports_->Open();
  EXPECT_TRUE(Eventually([&] { return Stats().set_aside_reports == 1; }));
  EXPECT_EQ(Stats().waiting_reports, 0);
  EXPECT_EQ(service_.Reports(1).size(), 1u);
  const std::vector<v1::ClusterEvent> told = events_.WaitFor(1);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].type(), v1::CLUSTER_EVENT_TYPE_OUTBOX_TROUBLE);
  EXPECT_NE(told[0].outbox().problem().find("TIME_FRAME_INVALID"),
            std::string::npos);
}

TEST_F(ReportsTest, ABacklogIsSentInOrderWithinTheWindowAndShown) {
  constexpr size_t kHours = 30;
  for (size_t i = 0; i < kHours; ++i) UseSomething();
  FakeService::Script script;
  script.receipt = [](const v1::ReportEnvelope&, const std::string&) {
    return nullptr;
  };
  service_.Set(script);
  reports_->Open();
  service_.Reports(4);
  EXPECT_TRUE(Eventually([&] { return Board().backlog_total() == kHours; }));
  EXPECT_EQ(Board().backlog_confirmed(), 0);
  EXPECT_EQ(service_.Reports(4).size(), 4u) << "no more than the window";
  service_.Set({});
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(500));
    return Stats().waiting_reports == 0;
  }));
  EXPECT_TRUE(Eventually([&] { return Board().backlog_total() == 0; }));
  uint64_t last = 0;
  const std::vector<std::string> sent = service_.Reports(4 + kHours);
  for (size_t i = 4; i < sent.size(); ++i) {
    v1::StreamReportsRequest request;
    ASSERT_TRUE(request.ParseFromString(sent[i]));
    EXPECT_EQ(request.report().sequence(), ++last);
  }
  EXPECT_EQ(last, kHours);
}

TEST_F(ReportsTest, TheServicesWishToWaitIsObeyed) {
  FakeService::Script script;
  script.pacing.mutable_retry_after()->set_seconds(20);
  service_.Set(script);
  UseSomething();
  reports_->Open();
  service_.Hellos(1);
  // Whatever is asked meanwhile.
  for (int i = 0; i < 19; ++i) {
    outbox_.clock.Advance(absl::Seconds(1));
    reports_->Wake();
  }
  EXPECT_EQ(service_.Reports(0).size(), 0u);
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(500));
    return Stats().waiting_reports == 0;
  }));
}

TEST_F(ReportsTest, ABusyServiceIsNotFloodedWithTheBacklog) {
  FakeService::Script script;
  script.receipt = [](const v1::ReportEnvelope& report, const std::string&) {
    auto receipt = std::make_unique<v1::ReportReceipt>();
    receipt->set_lane(report.lane());
    receipt->set_epoch(report.epoch());
    receipt->set_sequence(report.sequence());
    receipt->mutable_rejection()->set_reason(v1::ERROR_REASON_OVERLOADED);
    receipt->mutable_rejection()->set_resendable(true);
    receipt->mutable_pacing()->mutable_retry_after()->set_seconds(30);
    return receipt;
  };
  service_.Set(script);
  for (int i = 0; i < 30; ++i) UseSomething();
  reports_->Open();
  EXPECT_TRUE(
      Eventually([&] { return Status(Exchange::kConsumption).failed() >= 4; }));
  outbox_.clock.Advance(absl::Seconds(20));
  reports_->Wake();
  EXPECT_LE(service_.Reports(4).size(), 8u);
  EXPECT_EQ(Stats().waiting_reports, 30);
}

TEST_F(ReportsTest, ARestoredServiceGetsTheSameBytesAgain) {
  UseSomething();
  reports_->Open();
  EXPECT_TRUE(Eventually([&] { return Stats().waiting_reports == 0; }));
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(500));
    return service_.EndedReports(0) == 1;
  }));
  FakeService::Script script;
  script.service_epoch = 2;
  service_.Set(script);
  UseSomething();
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(500));
    return Stats().kept_reports == 2;
  }));
  const std::vector<std::string> sent = service_.Reports(3);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[1], sent[0]) << "the restored service has lost it";
}

TEST_F(ReportsTest, AServiceThatIsAheadOfUsGetsANewEpoch) {
  ASSERT_TRUE(outbox_.PutHealth().ok());
  const uint64_t before = outbox_.Epoch(v1::LANE_HEALTH);
  FakeService::Script script;
  v1::LaneMark mark;
  mark.set_lane(v1::LANE_HEALTH);
  mark.set_epoch(before);
  mark.set_highest_accepted_sequence(100);
  script.marks = {mark};
  service_.Set(script);
  reports_->Open();
  service_.Hellos(1);
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(100));
    return outbox_.Epoch(v1::LANE_HEALTH) != before;
  }));
  ASSERT_TRUE(outbox_.PutHealth().ok());
  reports_->Wake();
  EXPECT_TRUE(Eventually([&] {
    outbox_.clock.Advance(absl::Milliseconds(100));
    return Stats().waiting_reports == 0;
  }));
  const auto epoch = [](const v1::Hello& hello) {
    for (const v1::LaneEpoch& lane : hello.epochs()) {
      if (lane.lane() == v1::LANE_HEALTH) return lane.epoch();
    }
    return uint64_t{0};
  };
  const std::vector<v1::Hello> hellos = service_.Hellos(2);
  EXPECT_EQ(epoch(hellos.front()), before);
  EXPECT_NE(epoch(hellos.back()), before);
}

}  // namespace
}  // namespace mc::agent

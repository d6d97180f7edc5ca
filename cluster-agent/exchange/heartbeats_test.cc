#include "cluster-agent/exchange/heartbeats.h"

#include <memory>
#include <string>
#include <vector>

#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/exchange/fake_service.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr absl::Duration kInterval = absl::Minutes(1);
constexpr absl::Duration kMaxPause = absl::Minutes(5);

class HeartbeatsTest : public testing::Test {
 protected:
  HeartbeatsTest() {
    links_.Set(std::make_shared<ClusterLink>(service_.channel()));
    heartbeats_ = std::make_unique<Heartbeats>(Heartbeats::Options{
        .links = &links_,
        .in_flight = &in_flight_,
        .executor = &executor_,
        .clock = &clock_,
        .timers = &timers_,
        .board = &board_,
        .pacer = {.interval = kInterval,
                  .backoff_initial = absl::Seconds(1),
                  .backoff_max = kMaxPause},
        .draw = [] { return 0.5; },
        .beats =
            [] {
              std::vector<v1::StreamHeartbeatsRequest> beats(2);
              beats[0].set_node_id("node");
              beats[0].set_source_type(v1::SOURCE_TYPE_SERVER);
              beats[1].set_node_id("gate");
              beats[1].set_source_type(v1::SOURCE_TYPE_ACTIVE_GATE);
              return beats;
            },
        .on_over = [](const absl::Status&) {}});
  }
  ~HeartbeatsTest() override {
    heartbeats_->Close();
    in_flight_.CancelAndWait();
    timers_.Stop();
    executor_.Shutdown();
  }

  v1::ExchangeStatus Status() {
    v1::GetStatusResponse status;
    board_.Fill(status);
    return status.exchanges(static_cast<int>(Exchange::kHeartbeat));
  }
  absl::Duration UntilNext() {
    return *FromProto(Status().next_attempt_at()) - clock_.Now();
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1777888800)};
  FakeService service_{"cluster"};
  CurrentLink links_;
  InFlight in_flight_;
  Executor executor_{2, 100};
  TimerQueue timers_{&clock_};
  StatusBoard board_{&clock_};
  std::unique_ptr<Heartbeats> heartbeats_;
};

TEST_F(HeartbeatsTest, EverybodyWhoLivesBeatsOnceAnInterval) {
  heartbeats_->Open();
  EXPECT_EQ(service_.Beats(2)[1].node_id(), "gate");
  EXPECT_TRUE(Eventually([&] { return Status().succeeded() == 1; }));
  // With jitter, but never later than the interval.
  EXPECT_EQ(UntilNext(), kInterval * 0.95);
  clock_.Advance(kInterval);
  service_.Beats(4);
  EXPECT_TRUE(Eventually([&] { return Status().succeeded() == 2; }));
  EXPECT_EQ(service_.EndedHeartbeats(0), 0);
}

TEST_F(HeartbeatsTest, NoBeatBeforeTheServiceAnswers) {
  EXPECT_EQ(service_.Beats(0).size(), 0u);
  heartbeats_->Open();
  EXPECT_EQ(service_.Beats(2).size(), 2u);
}

TEST_F(HeartbeatsTest, AStreamWithoutAnswersIsCutAndOpenedAgain) {
  FakeService::Script script;
  script.answer_beats = false;
  service_.Set(script);
  heartbeats_->Open();
  service_.Beats(2);
  service_.Set({});
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(absl::Seconds(1));
    return service_.EndedHeartbeats(0) == 1;
  }));
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(absl::Milliseconds(100));
    return Status().succeeded() > 0;
  }));
  EXPECT_GE(service_.Beats(4).size(), 4u);
}

TEST_F(HeartbeatsTest, WhoIsSupersededDoesNotFight) {
  FakeService::Script script;
  script.end_heartbeats = ToGrpc(
      Error(absl::StatusCode::kAborted, v1::ERROR_REASON_SUPERSEDED, "newer"));
  service_.Set(script);
  heartbeats_->Open();
  EXPECT_TRUE(Eventually([&] { return Status().failed() == 1; }));
  EXPECT_GE(UntilNext(), kMaxPause * 0.9);
  v1::GetStatusResponse status;
  board_.Registered();
  board_.Reached();
  board_.Fill(status);
  EXPECT_NE(status.waiting_for().find("another agent"), std::string::npos);
  // Later it looks whether the other one is still there.
  service_.Set({});
  clock_.Advance(kMaxPause);
  EXPECT_TRUE(Eventually([&] { return Status().succeeded() == 1; }));
}

TEST_F(HeartbeatsTest, PausesGrowWhileStreamsBreak) {
  FakeService::Script script;
  script.end_heartbeats = grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
  service_.Set(script);
  heartbeats_->Open();
  absl::Duration last = absl::ZeroDuration();
  for (int i = 1; i <= 4; ++i) {
    ASSERT_TRUE(Eventually([&] { return Status().failed() == i; }));
    ASSERT_TRUE(Eventually([&] { return UntilNext() < kInterval * 0.5; }));
    EXPECT_GT(UntilNext(), last);
    last = UntilNext();
    clock_.Advance(last);
  }
}

// A new certificate has taken the old one's place.
TEST_F(HeartbeatsTest, AMoveIsNoFailure) {
  heartbeats_->Open();
  service_.Beats(2);
  ASSERT_TRUE(Eventually([&] { return Status().succeeded() == 1; }));
  links_.Set(std::make_shared<ClusterLink>(service_.channel()));
  heartbeats_->Move();
  EXPECT_EQ(service_.EndedHeartbeats(1), 1);
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(absl::Milliseconds(1));
    return Status().succeeded() == 2;
  }));
  EXPECT_EQ(service_.Beats(4).size(), 4u);
  EXPECT_EQ(Status().failed(), 0);
}

TEST_F(HeartbeatsTest, ACertificateThatWasReplacedIsNoFailureEither) {
  FakeService::Script script;
  script.end_heartbeats = ToGrpc(Error(absl::StatusCode::kPermissionDenied,
                                       v1::ERROR_REASON_MUST_RECOVER, "newer"));
  service_.Set(script);
  links_.BeginProof();
  heartbeats_->Open();
  EXPECT_EQ(service_.EndedHeartbeats(1), 1);
  service_.Set({});
  links_.Set(std::make_shared<ClusterLink>(service_.channel()));
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(absl::Milliseconds(1));
    return Status().succeeded() == 1;
  }));
  EXPECT_EQ(Status().failed(), 0);
}

}  // namespace
}  // namespace mc::agent

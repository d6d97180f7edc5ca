// Periodic exchanges and what the status says of them.
#include <functional>
#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/exchange/periodic_exchange.h"
#include "cluster-agent/exchange/status_board.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

class ScheduleTest : public testing::Test {
 protected:
  ScheduleTest() {
    exchange_ = std::make_unique<PeriodicExchange>(PeriodicExchange::Options{
        .exchange = Exchange::kLicense,
        .clock = &clock_,
        .timers = &timers_,
        .executor = &executor_,
        .board = &board_,
        .pacer = {.interval = absl::Minutes(5),
                  .backoff_initial = absl::Seconds(1),
                  .backoff_max = absl::Seconds(60)},
        .draw = [] { return 0.5; },
        .attempt =
            [this](PeriodicExchange::Done done) {
              absl::Status result;
              {
                absl::MutexLock lock(&mutex_);
                ++attempts_;
                result = result_;
              }
              done(result, v1::Pacing());
            },
    });
  }
  ~ScheduleTest() override {
    timers_.Stop();
    executor_.Shutdown();
  }

  void Answer(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    result_ = status;
  }
  int attempts() {
    absl::MutexLock lock(&mutex_);
    return attempts_;
  }
  v1::GetStatusResponse Status() {
    v1::GetStatusResponse status;
    board_.Fill(status);
    return status;
  }
  v1::ExchangeStatus License() {
    return Status().exchanges(static_cast<int>(Exchange::kLicense));
  }
  absl::Duration UntilNext() {
    return *FromProto(License().next_attempt_at()) - clock_.Now();
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1777888800)};
  StatusBoard board_{&clock_};
  Executor executor_{1, 10};
  TimerQueue timers_{&clock_};
  absl::Mutex mutex_;
  int attempts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status result_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<PeriodicExchange> exchange_;
};

TEST_F(ScheduleTest, TakesPlaceAtIntervals) {
  exchange_->Now();
  ASSERT_TRUE(Eventually([&] { return License().succeeded() == 1; }));
  ASSERT_TRUE(Eventually([&] { return UntilNext() > absl::Minutes(1); }));
  EXPECT_EQ(UntilNext(), absl::Minutes(5) * 0.95);
  clock_.Advance(absl::Minutes(5));
  EXPECT_TRUE(Eventually([&] { return License().succeeded() == 2; }));
  EXPECT_EQ(attempts(), 2);
  EXPECT_EQ(License().name(), "license");
  EXPECT_EQ(License().last_error(), "");
}

TEST_F(ScheduleTest, IsTriedAgainUntilItIsAnswered) {
  Answer(absl::UnavailableError("away"));
  exchange_->Now();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(Eventually([&] { return License().failed() == i; }));
    ASSERT_TRUE(Eventually([&] { return UntilNext() > absl::ZeroDuration(); }));
    EXPECT_LE(UntilNext(), absl::Seconds(60));
    if (i == 5) Answer(absl::OkStatus());
    clock_.Advance(UntilNext());
  }
  EXPECT_TRUE(Eventually([&] { return License().succeeded() == 1; }));
  EXPECT_EQ(License().last_error(), "");
}

TEST_F(ScheduleTest, ARefusalIsSaidWithWhatToDo) {
  Answer(Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_LICENSE_SUSPENDED, "no"));
  board_.Registered();
  board_.Reached();
  exchange_->Now();
  ASSERT_TRUE(Eventually([&] { return License().failed() == 1; }));
  EXPECT_EQ(Status().connection_state(), v1::CONNECTION_STATE_CONNECTED);
  EXPECT_NE(Status().waiting_for().find("ask your vendor"), std::string::npos);
  EXPECT_NE(License().last_error().find("LICENSE_SUSPENDED"),
            std::string::npos);
  ASSERT_TRUE(Eventually([&] { return UntilNext() > absl::Seconds(50); }));
  Answer(absl::OkStatus());
  exchange_->Now();
  EXPECT_TRUE(Eventually([&] { return Status().waiting_for().empty(); }));
}

TEST(StatusBoard, TellsTheConnectionsState) {
  const SimulatedClock clock(absl::FromUnixSeconds(1777888800));
  StatusBoard board(&clock);
  const auto status = [&board] {
    v1::GetStatusResponse response;
    board.Fill(response);
    return response;
  };
  EXPECT_EQ(status().connection_state(), v1::CONNECTION_STATE_ENROLLING);
  EXPECT_EQ(status().registration_state(),
            v1::REGISTRATION_STATE_NOT_REGISTERED);
  EXPECT_EQ(status().exchanges_size(), kExchanges);
  board.Unreachable("mc:1", absl::UnavailableError("connection refused"));
  EXPECT_EQ(status().connection_state(), v1::CONNECTION_STATE_WAITING);
  EXPECT_NE(status().waiting_for().find("mc:1"), std::string::npos);
  board.Reached();
  EXPECT_EQ(status().connection_state(), v1::CONNECTION_STATE_ENROLLING);
  board.Registered();
  EXPECT_EQ(status().connection_state(), v1::CONNECTION_STATE_CONNECTED);
  EXPECT_EQ(status().waiting_for(), "");
  board.Unreachable("mc:2", absl::DeadlineExceededError("slow"));
  EXPECT_EQ(status().connection_state(), v1::CONNECTION_STATE_WAITING);
}

}  // namespace
}  // namespace mc::agent

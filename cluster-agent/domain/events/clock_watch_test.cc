#include "cluster-agent/domain/events/clock_watch.h"

#include <gtest/gtest.h>

#include <vector>

#include "cluster-agent/domain/events/recording_sink.h"

namespace mc::agent {
namespace {

class ClockWatchTest : public testing::Test {
 protected:
  // This clock is ahead by `offset`; the call takes `round_trip`.
  void Measure(absl::Duration offset,
               absl::Duration round_trip = absl::ZeroDuration()) {
    const absl::Time sent = absl::FromUnixSeconds(1'777'888'800);
    watch_.Measured(sent, sent + round_trip, sent + round_trip / 2 - offset);
  }
  std::vector<int64_t> Told() {
    std::vector<int64_t> told;
    for (const auto& event : sink_.events()) {
      EXPECT_EQ(event.type(),
                missioncontrol::v1::CLUSTER_EVENT_TYPE_CLOCK_OUT_OF_SYNC);
      told.push_back(event.clock().offset_milliseconds());
    }
    return told;
  }

  RecordingSink sink_;
  ClockWatch watch_{absl::Seconds(5), &sink_};
};

TEST_F(ClockWatchTest, WithinTheToleranceNothingIsTold) {
  Measure(absl::Seconds(5));
  Measure(-absl::Seconds(5));
  EXPECT_EQ(Told(), std::vector<int64_t>());
}

TEST_F(ClockWatchTest, ADifferenceIsToldOnceInMilliseconds) {
  Measure(absl::Milliseconds(7250), absl::Milliseconds(400));
  Measure(absl::Milliseconds(7300), absl::Milliseconds(400));
  EXPECT_EQ(Told(), std::vector<int64_t>({7250}));
}

TEST_F(ClockWatchTest, AClockThatIsBehindHasANegativeOffset) {
  Measure(-absl::Hours(1));
  EXPECT_EQ(Told(), std::vector<int64_t>({-3'600'000}));
}

TEST_F(ClockWatchTest, AMuchLargerDifferenceIsToldAgain) {
  Measure(absl::Seconds(60));
  Measure(absl::Seconds(70));
  EXPECT_EQ(Told().size(), 1u);
  Measure(absl::Seconds(80));
  EXPECT_EQ(Told(), std::vector<int64_t>({60'000, 80'000}));
}

TEST_F(ClockWatchTest, AfterTheClocksAgreedItIsToldAgain) {
  Measure(absl::Seconds(60));
  Measure(absl::ZeroDuration());
  Measure(absl::Seconds(60));
  EXPECT_EQ(Told().size(), 2u);
}

TEST_F(ClockWatchTest, ALongRoundTripProvesNothing) {
  Measure(absl::Seconds(8), absl::Seconds(7));
  EXPECT_EQ(Told(), std::vector<int64_t>());
  Measure(absl::Seconds(9), absl::Seconds(7));
  EXPECT_EQ(Told(), std::vector<int64_t>({9000}));
}

TEST_F(ClockWatchTest, AClockThatWasSetDuringTheCallProvesNothing) {
  Measure(absl::Hours(1), -absl::Hours(2));
  EXPECT_EQ(Told(), std::vector<int64_t>());
}

}  // namespace
}  // namespace mc::agent

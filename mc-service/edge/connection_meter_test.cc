#include "mc-service/edge/connection_meter.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

using Verdict = ConnectionMeter::Verdict;

constexpr ConnectionMeter::Limits kLimits = {1000, absl::Seconds(60)};

absl::Duration At(int second) { return absl::Hours(1) + absl::Seconds(second); }

TEST(ConnectionMeter, MoreThanTheRateOverTheWindowIsTooMuch) {
  ConnectionMeter meter;
  // What it had before it is watched does not count.
  EXPECT_EQ(meter.Observe({At(0), 1'000'000, 0, 0}, kLimits), Verdict::kFine);
  EXPECT_EQ(meter.Observe({At(9), 1'010'001, 0, 0}, kLimits), Verdict::kFine);
  EXPECT_EQ(meter.Observe({At(10), 1'010'001, 0, 0}, kLimits),
            Verdict::kTooMuch);
}

TEST(ConnectionMeter, BurstWithinTheAverageIsFine) {
  ConnectionMeter meter;
  EXPECT_EQ(meter.Observe({At(0), 0, 0, 0}, kLimits), Verdict::kFine);
  EXPECT_EQ(meter.Observe({At(1), 10'000, 0, 0}, kLimits), Verdict::kFine);
  EXPECT_EQ(meter.Observe({At(10), 10'000, 0, 0}, kLimits), Verdict::kFine);
  // Each window is judged by itself.
  EXPECT_EQ(meter.Observe({At(20), 20'001, 0, 0}, kLimits), Verdict::kTooMuch);
}

TEST(ConnectionMeter, ReaderThatTakesNothingIsSlow) {
  ConnectionMeter meter;
  EXPECT_EQ(meter.Observe({At(0), 0, 5, 100}, kLimits), Verdict::kFine);
  EXPECT_EQ(meter.Observe({At(59), 0, 5, 200}, kLimits), Verdict::kFine);
  EXPECT_EQ(meter.Observe({At(60), 0, 5, 200}, kLimits), Verdict::kSlowReader);
}

TEST(ConnectionMeter, ReaderThatTakesALittleIsFine) {
  ConnectionMeter meter;
  for (int second = 0; second < 300; second += 30) {
    EXPECT_EQ(meter.Observe({At(second), 0, 5U + second, 100}, kLimits),
              Verdict::kFine);
  }
}

TEST(ConnectionMeter, IdleConnectionIsFine) {
  ConnectionMeter meter;
  for (int second = 0; second < 300; second += 30) {
    EXPECT_EQ(meter.Observe({At(second), 7, 5, 0}, kLimits), Verdict::kFine);
  }
  // Its time begins with what is sent.
  EXPECT_EQ(meter.Observe({At(301), 7, 5, 9}, kLimits), Verdict::kFine);
}

}  // namespace
}  // namespace mc::service

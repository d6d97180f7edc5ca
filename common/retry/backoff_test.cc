#include "common/retry/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mc {
namespace {

const Backoff::Options kOptions = {absl::Seconds(1), absl::Seconds(10)};

TEST(Backoff, BoundDoublesUpToTheLongestPause) {
  Backoff backoff(kOptions, [] { return 0.5; });
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(500));
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(), absl::Seconds(2));
  EXPECT_EQ(backoff.Next(), absl::Seconds(4));
  EXPECT_EQ(backoff.Next(), absl::Seconds(5));
  EXPECT_EQ(backoff.Next(), absl::Seconds(5));
}

TEST(Backoff, StartsAgainAfterASuccess) {
  Backoff backoff(kOptions, [] { return 0.5; });
  backoff.Next();
  backoff.Next();
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(500));
}

TEST(Backoff, NeverComesBeforeItIsAskedTo) {
  Backoff backoff(kOptions, [] { return 0.0; });
  EXPECT_EQ(backoff.Next(absl::Seconds(30)), absl::Seconds(30));
}

TEST(Backoff, ANegativeRequestDoesNotShortenThePause) {
  Backoff backoff(kOptions, [] { return 0.5; });
  EXPECT_EQ(backoff.Next(-absl::Seconds(30)), absl::Milliseconds(500));
}

TEST(Backoff, TheMultiplierIsTheCallersToChoose) {
  Backoff backoff({absl::Seconds(1), absl::Seconds(10), 3}, [] { return 0.5; });
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(500));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(1500));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(4500));
  EXPECT_EQ(backoff.Next(), absl::Seconds(5));
}

TEST(Backoff, TheLongestPauseBindsTheFirstOne) {
  Backoff backoff({absl::Seconds(8), absl::Seconds(2)}, [] { return 0.5; });
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
}

TEST(Backoff, DrawsFromTheWholeRange) {
  Backoff backoff({absl::Seconds(1), absl::Seconds(1)}, RandomDraw());
  absl::Duration least = absl::Seconds(1), most = absl::ZeroDuration();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration pause = backoff.Next();
    least = std::min(least, pause);
    most = std::max(most, pause);
  }
  EXPECT_LT(least, absl::Milliseconds(100));
  EXPECT_GT(most, absl::Milliseconds(900));
  EXPECT_LT(most, absl::Seconds(1));
}

TEST(Jittered, ShortensByAtMostTheFraction) {
  EXPECT_EQ(Jittered(absl::Seconds(10), 0.1, [] { return 0.0; }),
            absl::Seconds(10));
  EXPECT_EQ(Jittered(absl::Seconds(10), 0.1, [] { return 0.5; }),
            absl::Milliseconds(9500));
}

}  // namespace
}  // namespace mc

#include "common/retry/rate_limit.h"

#include <gtest/gtest.h>

namespace mc {
namespace {

class RateLimitTest : public testing::Test {
 protected:
  RateLimit Limit(size_t max_keys = 100) {
    return RateLimit(
        {.burst = 3, .per_second = 2, .max_keys = max_keys, .clock = &clock_});
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'795'255'200)};
};

TEST_F(RateLimitTest, WhatCostsMoreTakesMore) {
  RateLimit limit(Limit());
  EXPECT_EQ(limit.Take("a", 2), absl::ZeroDuration());
  EXPECT_EQ(limit.Take("a", 2), absl::Milliseconds(500));
  EXPECT_EQ(limit.Take("a"), absl::ZeroDuration());
}

TEST_F(RateLimitTest, ABurstAtOnceThenTheRate) {
  RateLimit limit(Limit());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(limit.Take("a"), absl::ZeroDuration());
  }
  EXPECT_EQ(limit.Take("a"), absl::Milliseconds(500));
  // What was refused cost nothing.
  EXPECT_EQ(limit.Take("a"), absl::Milliseconds(500));
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_EQ(limit.Take("a"), absl::ZeroDuration());
  EXPECT_EQ(limit.Take("a"), absl::Milliseconds(500));
}

TEST_F(RateLimitTest, KeysDoNotShare) {
  RateLimit limit(Limit());
  for (int i = 0; i < 3; ++i) limit.Take("a");
  EXPECT_GT(limit.Take("a"), absl::ZeroDuration());
  EXPECT_EQ(limit.Take("b"), absl::ZeroDuration());
}

TEST_F(RateLimitTest, ALongRestGivesOneBurstOnly) {
  RateLimit limit(Limit());
  limit.Take("a");
  clock_.Advance(absl::Hours(100));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(limit.Take("a"), absl::ZeroDuration());
  }
  EXPECT_GT(limit.Take("a"), absl::ZeroDuration());
}

TEST_F(RateLimitTest, AWallClockThatIsSetChangesNothing) {
  RateLimit limit(Limit());
  for (int i = 0; i < 3; ++i) limit.Take("a");
  clock_.SetNow(clock_.Now() + absl::Hours(24 * 365));
  EXPECT_EQ(limit.Take("a"), absl::Milliseconds(500));
  clock_.SetNow(clock_.Now() - absl::Hours(2 * 24 * 365));
  EXPECT_EQ(limit.Take("a"), absl::Milliseconds(500));
}

TEST_F(RateLimitTest, ForgetsThoseThatCameLongestAgo) {
  RateLimit limit(Limit(/*max_keys=*/2));
  for (int i = 0; i < 3; ++i) limit.Take("kept");
  for (int i = 0; i < 100; ++i) {
    limit.Take(std::to_string(i));
    EXPECT_GT(limit.Take("kept"), absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace mc

#include "tests/bench/latencies.h"

#include <gtest/gtest.h>

namespace mc::bench {
namespace {

TEST(Latencies, QuantilesAreAtMostASixteenthTooHigh) {
  Latencies latencies;
  for (int i = 1; i <= 10'000; ++i) latencies.Add(absl::Microseconds(i));
  EXPECT_EQ(latencies.count(), 10'000u);
  for (const double quantile : {0.01, 0.5, 0.99, 1.0}) {
    const double found =
        absl::ToDoubleMicroseconds(latencies.Quantile(quantile));
    EXPECT_GE(found, quantile * 10'000);
    EXPECT_LE(found, quantile * 10'000 * (1 + 1.0 / 16) + 1);
  }
}

TEST(Latencies, MergeAddsBoth) {
  Latencies a;
  Latencies b;
  a.Add(absl::Microseconds(100));
  b.Add(absl::Seconds(2));
  a.Merge(b);
  EXPECT_EQ(a.count(), 2u);
  EXPECT_LT(a.Quantile(0.5), absl::Milliseconds(1));
  EXPECT_GE(a.Quantile(0.99), absl::Seconds(2));
}

TEST(Latencies, NothingAndExtremesStayInBounds) {
  Latencies latencies;
  EXPECT_EQ(latencies.Quantile(0.99), absl::ZeroDuration());
  latencies.Add(-absl::Seconds(1));
  latencies.Add(absl::Hours(100));
  EXPECT_EQ(latencies.count(), 2u);
  EXPECT_GT(latencies.Quantile(1), absl::Minutes(30));
}

}  // namespace
}  // namespace mc::bench

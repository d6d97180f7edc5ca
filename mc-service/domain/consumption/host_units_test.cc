#include "mc-service/domain/consumption/host_units.h"

#include <gtest/gtest.h>

#include <vector>

namespace mc::service {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;
constexpr absl::Time kHour = absl::FromUnixSeconds(1'799'996'400);

TEST(HostUnits, WeightGrowsWithMemory) {
  const struct {
    int64_t memory_bytes;
    int64_t full;
    int64_t infrastructure;
  } cases[] = {
      {0, 100, 30},
      {kGiB * 16 / 10, 100, 30},
      {kGiB * 16 / 10 + 1, 250, 75},
      {4 * kGiB, 250, 75},
      {4 * kGiB + 1, 500, 150},
      {8 * kGiB, 500, 150},
      {8 * kGiB + 1, 1000, 300},
      {16 * kGiB, 1000, 300},
      {16 * kGiB + 1, 2000, 600},
      {32 * kGiB, 2000, 600},
      {48 * kGiB, 3000, 900},
      {64 * kGiB, 4000, 1000},
      {1024 * kGiB, 64000, 1000},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(HostUnitsMilli(c.memory_bytes, v1::HOST_CATEGORY_FULL_STACK),
              c.full)
        << c.memory_bytes;
    EXPECT_EQ(HostUnitsMilli(c.memory_bytes, v1::HOST_CATEGORY_INFRASTRUCTURE),
              c.infrastructure)
        << c.memory_bytes;
  }
}

TEST(HostUnits, HourOfIsTheUtcHour) {
  EXPECT_EQ(HourOf(kHour), kHour);
  EXPECT_EQ(HourOf(kHour + absl::Hours(1) - absl::Nanoseconds(1)), kHour);
  EXPECT_EQ(HourOf(kHour - absl::Nanoseconds(1)), kHour - absl::Hours(1));
  EXPECT_EQ(HourOf(absl::UnixEpoch() - absl::Seconds(1)),
            absl::UnixEpoch() - absl::Hours(1));
}

MonitoredInterval Minutes(int from, int to) {
  return {1, kHour + absl::Minutes(from), kHour + absl::Minutes(to)};
}

TEST(HostUnits, CoveredCountsOverlapsOnce) {
  const absl::Time end = kHour + absl::Hours(1);
  EXPECT_EQ(Covered({}, kHour, end), absl::ZeroDuration());
  EXPECT_EQ(Covered({Minutes(10, 20), Minutes(0, 5), Minutes(15, 30),
                     Minutes(12, 14)},
                    kHour, end),
            absl::Minutes(25));
  EXPECT_EQ(Covered({Minutes(-10, 2), Minutes(58, 70)}, kHour, end),
            absl::Minutes(4));
  EXPECT_EQ(Covered({Minutes(-10, -5)}, kHour, end), absl::ZeroDuration());
}

}  // namespace
}  // namespace mc::service

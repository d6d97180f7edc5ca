#include "common/time/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace mc {
namespace {

TEST(RealClock, BootTimeGoesOn) {
  RealClock clock;
  const absl::Duration before = clock.SinceBoot();
  EXPECT_GT(before, absl::ZeroDuration());
  EXPECT_GE(clock.SinceBoot(), before);
}

TEST(RealClock, WaitEndsAtTheDeadline) {
  RealClock clock;
  absl::Mutex mutex;
  bool never = false;
  absl::MutexLock lock(&mutex);
  EXPECT_FALSE(clock.WaitUntil(mutex, absl::Condition(&never),
                               clock.Now() + absl::Milliseconds(2)));
}

TEST(SimulatedClock, StandsStillUntilItIsMoved) {
  const absl::Time start = absl::FromUnixSeconds(1000);
  SimulatedClock clock(start);
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(clock.Now(), start + absl::Hours(1));
  EXPECT_EQ(clock.SinceBoot(), absl::Hours(1));
}

TEST(SimulatedClock, SettingTheWallClockLeavesBootTimeAlone) {
  SimulatedClock clock(absl::FromUnixSeconds(1000));
  clock.SetNow(absl::FromUnixSeconds(10));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(10));
  EXPECT_EQ(clock.SinceBoot(), absl::ZeroDuration());
}

TEST(SimulatedClock, AdvancingEndsAWait) {
  SimulatedClock clock(absl::FromUnixSeconds(0));
  absl::Mutex mutex;
  bool never = false;
  std::thread waiter([&] {
    absl::MutexLock lock(&mutex);
    EXPECT_FALSE(clock.WaitUntil(mutex, absl::Condition(&never),
                                 absl::FromUnixSeconds(5)));
  });
  clock.Advance(absl::Seconds(5));
  waiter.join();
}

TEST(SimulatedClock, ATrueConditionEndsAWait) {
  SimulatedClock clock(absl::FromUnixSeconds(0));
  absl::Mutex mutex;
  bool ready = false;
  std::thread waiter([&] {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(clock.WaitUntil(mutex, absl::Condition(&ready),
                                absl::InfiniteFuture()));
  });
  {
    absl::MutexLock lock(&mutex);
    ready = true;
  }
  waiter.join();
}

}  // namespace
}  // namespace mc

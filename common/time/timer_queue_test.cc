#include "common/time/timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/synchronization/notification.h"

namespace mc {
namespace {

using ::testing::ElementsAre;

TEST(TimerQueue, RunsInTheOrderOfTimesThenOfScheduling) {
  SimulatedClock clock(absl::FromUnixSeconds(0));
  TimerQueue queue(&clock);
  std::vector<int> order;
  absl::Notification done;
  queue.ScheduleAfter(absl::Seconds(2), [&] { order.push_back(3); });
  queue.ScheduleAfter(absl::Seconds(1), [&] { order.push_back(1); });
  queue.ScheduleAfter(absl::Seconds(1), [&] { order.push_back(2); });
  queue.ScheduleAfter(absl::Seconds(3), [&] { done.Notify(); });
  clock.Advance(absl::Seconds(3));
  done.WaitForNotification();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(TimerQueue, NothingRunsBeforeItsTime) {
  SimulatedClock clock(absl::FromUnixSeconds(0));
  TimerQueue queue(&clock);
  bool early = false;
  absl::Notification done;
  queue.ScheduleAfter(absl::Seconds(2), [&] { early = true; });
  queue.ScheduleAfter(absl::Seconds(1), [&] { done.Notify(); });
  clock.Advance(absl::Seconds(1));
  done.WaitForNotification();
  queue.Stop();
  EXPECT_FALSE(early);
}

TEST(TimerQueue, SettingTheWallClockMovesNothing) {
  SimulatedClock clock(absl::FromUnixSeconds(100'000));
  TimerQueue queue(&clock);
  bool early = false;
  absl::Notification done;
  queue.ScheduleAfter(absl::Seconds(10), [&] { early = true; });
  queue.ScheduleAfter(absl::Seconds(1), [&] { done.Notify(); });
  clock.SetNow(absl::FromUnixSeconds(0));
  clock.Advance(absl::Seconds(1));
  done.WaitForNotification();
  clock.SetNow(absl::FromUnixSeconds(1'000'000));
  absl::Notification second;
  queue.ScheduleAfter(absl::ZeroDuration(), [&] { second.Notify(); });
  second.WaitForNotification();
  queue.Stop();
  EXPECT_FALSE(early);
}

TEST(TimerQueue, CanceledTimersDoNotRun) {
  SimulatedClock clock(absl::FromUnixSeconds(0));
  TimerQueue queue(&clock);
  bool ran = false;
  absl::Notification done;
  const auto id = queue.ScheduleAfter(absl::Seconds(1), [&] { ran = true; });
  queue.ScheduleAfter(absl::Seconds(1), [&] { done.Notify(); });
  EXPECT_TRUE(queue.Cancel(id));
  EXPECT_FALSE(queue.Cancel(id));
  clock.Advance(absl::Seconds(1));
  done.WaitForNotification();
  queue.Stop();
  EXPECT_FALSE(ran);
}

TEST(TimerQueue, AnEarlierTimerIsNotDelayedByALaterOne) {
  RealClock clock;
  TimerQueue queue(&clock);
  absl::Notification done;
  queue.ScheduleAfter(absl::Hours(1), [] {});
  queue.ScheduleAfter(absl::Milliseconds(1), [&] { done.Notify(); });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(60)));
}

TEST(TimerQueue, AFunctionMayScheduleTheNext) {
  RealClock clock;
  TimerQueue queue(&clock);
  absl::Notification done;
  queue.ScheduleAfter(absl::ZeroDuration(), [&] {
    queue.ScheduleAfter(absl::ZeroDuration(), [&] { done.Notify(); });
  });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(60)));
}

}  // namespace
}  // namespace mc

// Runs functions after given times on one thread of its own.
#ifndef COMMON_TIME_TIMER_QUEUE_H_
#define COMMON_TIME_TIMER_QUEUE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace mc {

// Thread-safe. Functions run one after the other, in the order of their times
// and then of their scheduling, without a lock held: they may schedule and
// cancel. One that blocks delays the others.
//
// It counts on the time since boot: whoever sets the wall clock, forward or
// back, neither hurries nor delays a function. While the machine is suspended
// nothing runs; what became due then runs within a minute after it.
class TimerQueue {
 public:
  using TimerId = uint64_t;

  // The clock must outlive the queue.
  explicit TimerQueue(const Clock* clock);
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  TimerId ScheduleAfter(absl::Duration delay, std::function<void()> run);

  // As far away as the wall clock says now.
  TimerId Schedule(absl::Time at, std::function<void()> run);

  // Returns false when it has begun to run already, or was never scheduled.
  bool Cancel(TimerId id);

  // Drops what is scheduled, and waits for a function that runs (unless it is
  // the caller). What is scheduled later is dropped too.
  void Stop();

 private:
  void Run();
  // Waits until `boot_time`, or less where a new timer comes first.
  void WaitUntil(absl::Duration boot_time);
  void Wake();

  const Clock* const clock_;
  // An event descriptor: its waits count on the monotonic clock, those of
  // absl::Mutex on the wall clock.
  const int wake_fd_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  TimerId last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  // By the time since boot at which they are due.
  std::map<std::pair<absl::Duration, TimerId>, std::function<void()>> timers_
      ABSL_GUARDED_BY(mutex_);
  std::map<TimerId, absl::Duration> times_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace mc

#endif  // COMMON_TIME_TIMER_QUEUE_H_

#include "common/time/clock.h"

#include <time.h>

namespace mc {

absl::Time RealClock::Now() const { return absl::Now(); }

absl::Duration RealClock::SinceBoot() const {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

absl::Duration RealClock::LongestWait() const {
  return absl::InfiniteDuration();
}

bool RealClock::WaitUntil(absl::Mutex& mutex, const absl::Condition& condition,
                          absl::Time deadline) {
  return mutex.AwaitWithDeadline(condition, deadline);
}

absl::Time SimulatedClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return now_;
}

absl::Duration SimulatedClock::SinceBoot() const {
  absl::MutexLock lock(&mutex_);
  return since_boot_;
}

absl::Duration SimulatedClock::LongestWait() const {
  return absl::Milliseconds(1);
}

bool SimulatedClock::WaitUntil(absl::Mutex& mutex,
                               const absl::Condition& condition,
                               absl::Time deadline) {
  // The waiter looks again every real millisecond: the clock cannot take the
  // mutexes of its waiters without an order between theirs and its own.
  while (true) {
    if (mutex.AwaitWithTimeout(condition, absl::Milliseconds(1))) return true;
    if (Now() >= deadline) return condition.Eval();
  }
}

void SimulatedClock::Advance(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  now_ += duration;
  since_boot_ += duration;
}

void SimulatedClock::SetNow(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  now_ = now;
}

}  // namespace mc

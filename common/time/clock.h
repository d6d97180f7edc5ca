// Where time comes from. Nothing outside this folder reads a clock or waits
// for one, so that tests can be the clock.
#ifndef COMMON_TIME_CLOCK_H_
#define COMMON_TIME_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mc {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The wall clock; it can jump.
  virtual absl::Time Now() const = 0;

  // Since the machine was started, also while it was suspended; it never
  // jumps (CLOCK_BOOTTIME).
  virtual absl::Duration SinceBoot() const = 0;

  // How long somebody who waits for this clock may wait, in real time, before
  // looking at it again.
  virtual absl::Duration LongestWait() const = 0;

  // Waits, with `mutex` held, until `condition` is true or Now() has reached
  // `deadline`; returns whether the condition is true.
  virtual bool WaitUntil(absl::Mutex& mutex, const absl::Condition& condition,
                         absl::Time deadline)
      ABSL_SHARED_LOCKS_REQUIRED(mutex) = 0;
};

class RealClock : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration SinceBoot() const override;
  absl::Duration LongestWait() const override;
  bool WaitUntil(absl::Mutex& mutex, const absl::Condition& condition,
                 absl::Time deadline) override
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
};

// A clock that stands still until a test moves it.
class SimulatedClock : public Clock {
 public:
  explicit SimulatedClock(absl::Time now) : now_(now) {}

  absl::Time Now() const override;
  absl::Duration SinceBoot() const override;
  absl::Duration LongestWait() const override;
  bool WaitUntil(absl::Mutex& mutex, const absl::Condition& condition,
                 absl::Time deadline) override
      ABSL_SHARED_LOCKS_REQUIRED(mutex);

  // Time passes: both clocks move. Not negative.
  void Advance(absl::Duration duration);
  // Somebody sets the wall clock, forward or back; SinceBoot() stays.
  void SetNow(absl::Time now);

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration since_boot_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
};

}  // namespace mc

#endif  // COMMON_TIME_CLOCK_H_

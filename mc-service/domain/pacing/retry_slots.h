// When those come again who came when there was too much to do.
#ifndef MC_SERVICE_DOMAIN_PACING_RETRY_SLOTS_H_
#define MC_SERVICE_DOMAIN_PACING_RETRY_SLOTS_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mc::service {

// Each of them is told another moment, `per_second` in all, so that they come
// spread. Thread-safe.
class RetrySlots {
 public:
  // `longest`: nobody is sent away for longer.
  RetrySlots(double per_second, absl::Duration longest)
      : each_(absl::Seconds(1) / per_second), longest_(longest) {}

  // How long from `now` the next free moment is; it is taken.
  absl::Duration Take(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::Duration each_;
  const absl::Duration longest_;
  absl::Mutex mutex_;
  // Up to here all moments are taken.
  absl::Time taken_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_PACING_RETRY_SLOTS_H_

// Paces what many clusters send at once, for instance after an outage.
#ifndef MC_SERVICE_DOMAIN_PACING_ADMISSION_H_
#define MC_SERVICE_DOMAIN_PACING_ADMISSION_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "mc-service/domain/pacing/retry_slots.h"

namespace mc::service {

// A token bucket over all clusters, with a small debt: what is over the rate
// is taken in all the same, up to `queue` worth of it, and its sender is told
// to slow down; beyond that it is turned away. Thread-safe.
class Admission {
 public:
  struct Options {
    double per_second = 2000;
    absl::Duration queue = absl::Seconds(1);
    absl::Duration longest_retry = absl::Minutes(1);
  };
  struct Verdict {
    bool admitted = true;
    // When to send again; zero: at once.
    absl::Duration retry_after;
  };

  explicit Admission(const Options& options)
      : options_(options), slots_(options.per_second, options.longest_retry) {}

  // One asks to come in.
  Verdict Ask(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // When one that has not begun to send should begin; zero: at once.
  absl::Duration WhenToBegin(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // How far the admitted are ahead of the rate.
  absl::Duration Debt(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  RetrySlots slots_;
  absl::Mutex mutex_;
  // When the last admitted one would have come at the rate.
  absl::Time paid_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_PACING_ADMISSION_H_

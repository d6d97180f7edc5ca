#include "mc-service/domain/pacing/admission.h"

#include <algorithm>

namespace mc::service {
namespace {

// What may come at once where nothing came for a while.
constexpr absl::Duration kBurst = absl::Seconds(1);

}  // namespace

absl::Duration Admission::Debt(absl::Time now) {
  paid_until_ = std::clamp(paid_until_, now - kBurst, now + options_.queue);
  return std::max(paid_until_ - now, absl::ZeroDuration());
}

Admission::Verdict Admission::Ask(absl::Time now) {
  {
    absl::MutexLock lock(&mutex_);
    const absl::Duration debt = Debt(now);
    if (debt < options_.queue) {
      paid_until_ += absl::Seconds(1) / options_.per_second;
      return {.admitted = true, .retry_after = debt};
    }
  }
  return {.admitted = false, .retry_after = slots_.Take(now)};
}

absl::Duration Admission::WhenToBegin(absl::Time now) {
  {
    absl::MutexLock lock(&mutex_);
    if (Debt(now) == absl::ZeroDuration()) return absl::ZeroDuration();
  }
  return slots_.Take(now);
}

}  // namespace mc::service

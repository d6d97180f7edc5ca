#include "mc-service/domain/pacing/retry_slots.h"

#include <algorithm>

namespace mc::service {

absl::Duration RetrySlots::Take(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  // A clock that was set back must not send anybody away for longer.
  taken_until_ = std::clamp(taken_until_, now, now + longest_) + each_;
  return std::min(taken_until_ - now, longest_);
}

}  // namespace mc::service

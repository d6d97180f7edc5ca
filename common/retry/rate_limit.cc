#include "common/retry/rate_limit.h"

#include <algorithm>
#include <iterator>

namespace mc {

absl::Duration RateLimit::Take(std::string_view key, double tokens) {
  const absl::Duration now = options_.clock->SinceBoot();
  const absl::Duration interval = absl::Seconds(1) / options_.per_second;
  absl::MutexLock lock(&mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (buckets_.size() >= options_.max_keys) {
      by_key_.erase(buckets_.front().key);
      buckets_.pop_front();
    }
    buckets_.push_back({std::string(key), now});
    found = by_key_.emplace(std::string(key), std::prev(buckets_.end())).first;
  } else {
    buckets_.splice(buckets_.end(), buckets_, found->second);
  }
  Bucket& bucket = *found->second;
  const absl::Duration full_at =
      std::max(bucket.full_at, now) + tokens * interval;
  const absl::Duration wait = full_at - now - options_.burst * interval;
  if (wait > absl::ZeroDuration()) return wait;
  bucket.full_at = full_at;
  return absl::ZeroDuration();
}

}  // namespace mc

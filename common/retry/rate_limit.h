// How often each of many callers may come.
#ifndef COMMON_RETRY_RATE_LIMIT_H_
#define COMMON_RETRY_RATE_LIMIT_H_

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace mc {

// A token bucket for each key. Counted by boot time: a clock that is set gives
// nobody more, or less. Thread-safe.
class RateLimit {
 public:
  struct Options {
    // At least one each.
    double burst = 1;
    // Tokens that come back in a second; more than 0.
    double per_second = 1;
    // How many keys are remembered. Those that came last are; one that is
    // forgotten starts anew.
    size_t max_keys = 100'000;
    const Clock* clock = nullptr;
  };

  explicit RateLimit(const Options& options) : options_(options) {}

  // Takes tokens of `key`: zero. Where there are too few, nothing is taken: how
  // long it is until there are enough. No more than `burst` ever are.
  absl::Duration Take(std::string_view key, double tokens = 1)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Bucket {
    std::string key;
    // When it is full again, since boot.
    absl::Duration full_at;
  };
  using Buckets = std::list<Bucket>;

  const Options options_;
  absl::Mutex mutex_;
  // The one that came last at the end.
  Buckets buckets_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Buckets::iterator, std::less<>> by_key_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc

#endif  // COMMON_RETRY_RATE_LIMIT_H_

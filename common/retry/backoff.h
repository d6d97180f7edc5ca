// Pauses between attempts.
#ifndef COMMON_RETRY_BACKOFF_H_
#define COMMON_RETRY_BACKOFF_H_

#include <functional>

#include "absl/time/time.h"

namespace mc {

// Draws from [0, 1).
using UniformDraw = std::function<double()>;
// Seeded from the system; not thread-safe.
UniformDraw RandomDraw();

// `interval`, shortened by up to `fraction` of it, so that what started at the
// same moment spreads out.
absl::Duration Jittered(absl::Duration interval, double fraction,
                        const UniformDraw& draw);

// Exponential backoff with full jitter: each pause is drawn from zero to a
// bound that grows by `multiplier` from `initial` up to `max`. Not thread-safe.
class Backoff {
 public:
  struct Options {
    absl::Duration initial = absl::Seconds(1);
    absl::Duration max = absl::Minutes(5);
    // At least 1.
    double multiplier = 2;
  };

  Backoff(const Options& options, UniformDraw draw);

  // The pause before the next attempt. Never shorter than `retry_after`, what
  // the other side asked for; a negative one asks for nothing.
  absl::Duration Next(absl::Duration retry_after = absl::ZeroDuration());

  // An attempt succeeded.
  void Reset();

 private:
  const Options options_;
  UniformDraw draw_;
  absl::Duration bound_;
};

}  // namespace mc

#endif  // COMMON_RETRY_BACKOFF_H_

#include "common/retry/backoff.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/random/random.h"

namespace mc {

UniformDraw RandomDraw() {
  auto generator = std::make_shared<absl::BitGen>();
  return [generator] { return absl::Uniform(*generator, 0.0, 1.0); };
}

absl::Duration Jittered(absl::Duration interval, double fraction,
                        const UniformDraw& draw) {
  return interval * (1 - fraction * draw());
}

Backoff::Backoff(const Options& options, UniformDraw draw)
    : options_(options),
      draw_(std::move(draw)),
      bound_(std::min(options.initial, options.max)) {}

absl::Duration Backoff::Next(absl::Duration retry_after) {
  const absl::Duration pause = bound_ * draw_();
  bound_ = std::min(bound_ * options_.multiplier, options_.max);
  // What was asked for is a lower bound; the jitter comes on top of it.
  return std::max(retry_after, absl::ZeroDuration()) + pause;
}

void Backoff::Reset() { bound_ = std::min(options_.initial, options_.max); }

}  // namespace mc

#include "tests/bench/latencies.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mc::bench {

void Latencies::Add(absl::Duration latency) {
  const uint64_t micros =
      std::max<int64_t>(absl::ToInt64Microseconds(latency), 1);
  // The power of two below it, and the sixteenth between that and the next.
  const int power = std::bit_width(micros) - 1;
  const uint64_t step = (micros * kSteps >> power) - kSteps;
  const size_t index = power * kSteps + step;
  ++buckets_[std::min(index, buckets_.size() - 1)];
  ++count_;
}

void Latencies::Merge(const Latencies& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
}

absl::Duration Latencies::Quantile(double quantile) const {
  const auto rank =
      static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen == 0 || seen < rank) continue;
    const double floor = std::ldexp(1.0, static_cast<int>(i / kSteps));
    return absl::Microseconds(floor * (i % kSteps + 1 + kSteps) / kSteps);
  }
  return absl::ZeroDuration();
}

}  // namespace mc::bench

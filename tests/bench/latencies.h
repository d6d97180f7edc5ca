// Durations in a histogram of fixed size.
#ifndef TESTS_BENCH_LATENCIES_H_
#define TESTS_BENCH_LATENCIES_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace mc::bench {

// From a microsecond to about an hour, each bucket at most 1/16 wide.
// Thread-compatible.
class Latencies {
 public:
  void Add(absl::Duration latency);
  void Merge(const Latencies& other);

  uint64_t count() const { return count_; }
  // The upper bound of the bucket in which the quantile (0 to 1) is; zero
  // where there is none.
  absl::Duration Quantile(double quantile) const;

 private:
  static constexpr int kSteps = 16;
  std::array<uint64_t, 32 * kSteps> buckets_{};
  uint64_t count_ = 0;
};

}  // namespace mc::bench

#endif  // TESTS_BENCH_LATENCIES_H_

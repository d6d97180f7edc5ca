// Judges what an open connection does by what the kernel counts of it.
#ifndef MC_SERVICE_EDGE_CONNECTION_METER_H_
#define MC_SERVICE_EDGE_CONNECTION_METER_H_

#include <cstdint>

#include "absl/time/time.h"

namespace mc::service {

// What the kernel counts of a connection, since it began.
struct TrafficSample {
  // Since boot.
  absl::Duration at;
  // Bytes from the client; bytes that it confirmed; bytes that wait for it
  // (sent and not confirmed, or not even sent).
  uint64_t received = 0;
  uint64_t confirmed = 0;
  uint64_t queued = 0;
};

class ConnectionMeter {
 public:
  struct Limits {
    int64_t max_bytes_per_second = 0;
    absl::Duration slow_reader_timeout;
  };
  enum class Verdict { kFine, kTooMuch, kSlowReader };

  // Rates are averages over at least this.
  static constexpr absl::Duration kWindow = absl::Seconds(10);

  // Begins with what it reads first. Samples in the order of time.
  Verdict Observe(const TrafficSample& sample, const Limits& limits);

 private:
  bool begun_ = false;
  absl::Duration window_began_;
  uint64_t received_before_ = 0;
  absl::Duration moved_at_;
  uint64_t confirmed_before_ = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_CONNECTION_METER_H_

#include "mc-service/edge/connection_meter.h"

namespace mc::service {

ConnectionMeter::Verdict ConnectionMeter::Observe(const TrafficSample& sample,
                                                  const Limits& limits) {
  if (!begun_) {
    begun_ = true;
    window_began_ = sample.at;
    received_before_ = sample.received;
    moved_at_ = sample.at;
  }
  if (sample.queued == 0 || sample.confirmed != confirmed_before_) {
    moved_at_ = sample.at;
    confirmed_before_ = sample.confirmed;
  } else if (sample.at - moved_at_ >= limits.slow_reader_timeout) {
    return Verdict::kSlowReader;
  }
  const absl::Duration elapsed = sample.at - window_began_;
  if (elapsed < kWindow) return Verdict::kFine;
  const double rate = static_cast<double>(sample.received - received_before_) /
                      absl::ToDoubleSeconds(elapsed);
  window_began_ = sample.at;
  received_before_ = sample.received;
  return rate > static_cast<double>(limits.max_bytes_per_second)
             ? Verdict::kTooMuch
             : Verdict::kFine;
}

}  // namespace mc::service

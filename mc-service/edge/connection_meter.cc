#include "mc-service/edge/connection_meter.h"

// The C library's tcp_info lacks the newer counters.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// <linux/sockios.h> clashes with nothing, and has SIOCOUTQ.
#include <linux/sockios.h>

#include <cstddef>

namespace mc::service {
namespace {

// TCP_CLOSE of the kernel's <net/tcp_states.h>.
constexpr uint8_t kClosed = 7;

}  // namespace

std::optional<TrafficSample> ReadTraffic(int fd, absl::Duration now) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  int queued = 0;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) +
                 sizeof(info.tcpi_bytes_received) ||
      info.tcpi_state == kClosed || ::ioctl(fd, SIOCOUTQ, &queued) != 0) {
    return std::nullopt;
  }
  return TrafficSample{now, info.tcpi_bytes_received, info.tcpi_bytes_acked,
                       static_cast<uint64_t>(queued)};
}

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

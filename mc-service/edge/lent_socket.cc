#include "mc-service/edge/lent_socket.h"

// The C library's tcp_info lacks the newer counters.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace mc::service {
namespace {

// TCP_CLOSE of the kernel's <net/tcp_states.h>.
constexpr uint8_t kClosed = 7;

std::optional<uint64_t> Cookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) {
    return std::nullopt;
  }
  return cookie;
}

}  // namespace

std::optional<LentSocket> LentSocket::Of(int fd) {
  const std::optional<uint64_t> cookie = Cookie(fd);
  if (!cookie.has_value()) return std::nullopt;
  return LentSocket(fd, *cookie);
}

bool LentSocket::IsStillThere() const { return Cookie(fd_) == cookie_; }

std::optional<TrafficSample> LentSocket::Traffic(absl::Duration now) const {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  int queued = 0;
  if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) +
                 sizeof(info.tcpi_bytes_received) ||
      info.tcpi_state == kClosed || ::ioctl(fd_, SIOCOUTQ, &queued) != 0 ||
      // Last: what was read was this one's.
      !IsStillThere()) {
    return std::nullopt;
  }
  return TrafficSample{now, info.tcpi_bytes_received, info.tcpi_bytes_acked,
                       static_cast<uint64_t>(queued)};
}

void LentSocket::Shutdown() const {
  if (IsStillThere()) ::shutdown(fd_, SHUT_RDWR);
}

}  // namespace mc::service

#include "mc-service/edge/first_bytes.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace mc::service {
namespace {

// RFC 8446, section 5.1: type, version, length.
constexpr ssize_t kRecordHeaderBytes = 5;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kMajorVersion = 3;
constexpr size_t kMaxRecordBytes = 1 << 14;
// A handshake message begins with its type and length.
constexpr size_t kMinRecordBytes = 4;

FirstBytes NothingRead(ssize_t result) {
  if (result == 0) return FirstBytes::kClosed;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
             ? FirstBytes::kIncomplete
             : FirstBytes::kClosed;
}

}  // namespace

FirstBytes LookForClientHello(int fd) {
  uint8_t bytes[kRecordHeaderBytes];
  const ssize_t got = ::recv(fd, bytes, sizeof(bytes), MSG_PEEK);
  if (got <= 0) return NothingRead(got);
  if (bytes[0] != kHandshake || (got > 1 && bytes[1] != kMajorVersion)) {
    return FirstBytes::kWrong;
  }
  if (got < kRecordHeaderBytes) return FirstBytes::kIncomplete;
  const size_t size = static_cast<size_t>(bytes[3] << 8 | bytes[4]);
  if (size < kMinRecordBytes || size > kMaxRecordBytes) {
    return FirstBytes::kWrong;
  }
  int there = 0;
  if (::ioctl(fd, FIONREAD, &there) != 0) return FirstBytes::kClosed;
  return static_cast<size_t>(there) >= kRecordHeaderBytes + size
             ? FirstBytes::kComplete
             : FirstBytes::kIncomplete;
}

FirstBytes ReadProxyHeader(int fd, std::string& header) {
  while (true) {
    size_t wanted = kProxyPrefixBytes;
    if (header.size() >= kProxyPrefixBytes) {
      const absl::StatusOr<size_t> body =
          ProxyBodyBytes(header.substr(0, kProxyPrefixBytes));
      if (!body.ok()) return FirstBytes::kWrong;
      wanted += *body;
      if (header.size() == wanted) return FirstBytes::kComplete;
    }
    char bytes[512];
    const ssize_t got =
        ::recv(fd, bytes, std::min(sizeof(bytes), wanted - header.size()), 0);
    if (got <= 0) return NothingRead(got);
    header.append(bytes, static_cast<size_t>(got));
  }
}

}  // namespace mc::service

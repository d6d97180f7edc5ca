#include "mc-service/edge/proxy_header.h"

#include <cstdint>

// The numbers and their names are those of "The PROXY protocol, versions 1 &
// 2", section 2.2.
namespace mc::service {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr uint8_t kVersion = 0x2;
constexpr uint8_t kLocal = 0x0;
constexpr uint8_t kProxy = 0x1;
constexpr uint8_t kUnspecified = 0x00;
constexpr uint8_t kTcpOverV4 = 0x11;
constexpr uint8_t kTcpOverV6 = 0x21;
// Source and destination address and port.
constexpr size_t kV4Bytes = 12;
constexpr size_t kV6Bytes = 36;

uint8_t ByteAt(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}

uint16_t NumberAt(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(ByteAt(bytes, at) << 8 | ByteAt(bytes, at + 1));
}

// Type, length, value; again and again.
bool AreFields(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < 3) return false;
    const size_t length = 3 + NumberAt(bytes, 1);
    if (length > bytes.size()) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

absl::Status Wrong(const char* what) {
  return absl::InvalidArgumentError(what);
}

}  // namespace

absl::StatusOr<size_t> ProxyBodyBytes(std::string_view prefix) {
  if (prefix.size() != kProxyPrefixBytes ||
      prefix.substr(0, kSignature.size()) != kSignature ||
      ByteAt(prefix, 12) >> 4 != kVersion) {
    return Wrong("no PROXY header of version 2");
  }
  const size_t size = NumberAt(prefix, 14);
  if (size > kMaxProxyBodyBytes) return Wrong("the PROXY header is too long");
  return size;
}

absl::StatusOr<std::optional<Endpoint>> ParseProxyHeader(
    std::string_view header) {
  const absl::StatusOr<size_t> size =
      ProxyBodyBytes(header.substr(0, kProxyPrefixBytes));
  if (!size.ok()) return size.status();
  const uint8_t command = ByteAt(header, 12) & 0x0f;
  const uint8_t family = ByteAt(header, 13);
  const std::string_view body = header.substr(kProxyPrefixBytes);
  if (body.size() != *size) return Wrong("the PROXY header is cut off");
  // What is behind these is to be skipped, whatever it is.
  if (command == kLocal) return std::nullopt;
  if (command != kProxy) return Wrong("the PROXY command is unknown");
  if (family == kUnspecified) return std::nullopt;
  if (family != kTcpOverV4 && family != kTcpOverV6) {
    return Wrong("the PROXY header is not of TCP over IP");
  }
  const bool v4 = family == kTcpOverV4;
  const size_t addresses = v4 ? kV4Bytes : kV6Bytes;
  if (body.size() < addresses || !AreFields(body.substr(addresses))) {
    return Wrong("the PROXY header is cut off");
  }
  const auto* source = reinterpret_cast<const uint8_t*>(body.data());
  return Endpoint{v4 ? IpAddress::V4(source) : IpAddress::V6(source),
                  NumberAt(body, v4 ? 8 : 32)};
}

}  // namespace mc::service

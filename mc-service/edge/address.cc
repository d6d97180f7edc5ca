#include "mc-service/edge/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mc::service {
namespace {

// RFC 4291, section 2.5.5.2.
constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0,    0,
                                               0, 0, 0, 0, 0xff, 0xff};
constexpr int kV4PrefixBits = 96;

absl::string_view Abseil(std::string_view text) {
  return {text.data(), text.size()};
}

// With all bits but the first `bits` cleared.
IpAddress Masked(IpAddress address, int bits) {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(bits - 8 * i, 0, 8);
    address.bytes[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return address;
}

}  // namespace

IpAddress IpAddress::V4(const uint8_t* four) {
  IpAddress result;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), result.bytes.begin());
  std::copy(four, four + 4, result.bytes.begin() + kV4Prefix.size());
  return result;
}

IpAddress IpAddress::V6(const uint8_t* sixteen) {
  IpAddress result;
  std::copy(sixteen, sixteen + 16, result.bytes.begin());
  return result;
}

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string copy(text);
  uint8_t bytes[16];
  // inet_pton sees nothing behind it.
  const bool ends_early = copy.find('\0') != std::string::npos;
  if (!ends_early && ::inet_pton(AF_INET, copy.c_str(), bytes) == 1) {
    return V4(bytes);
  }
  if (!ends_early && ::inet_pton(AF_INET6, copy.c_str(), bytes) == 1) {
    return V6(bytes);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", copy, "\" is no IP address"));
}

bool IpAddress::IsV4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

IpAddress IpAddress::Site() const { return IsV4() ? *this : Masked(*this, 64); }

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (IsV4()) {
    ::inet_ntop(AF_INET, bytes.data() + kV4Prefix.size(), text, sizeof(text));
  } else {
    ::inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  }
  return text;
}

std::optional<Endpoint> Endpoint::Of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    return Endpoint{
        IpAddress::V4(reinterpret_cast<const uint8_t*>(&v4.sin_addr)),
        ntohs(v4.sin_port)};
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof(v6));
    return Endpoint{IpAddress::V6(v6.sin6_addr.s6_addr), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

std::string Endpoint::GrpcPeer() const {
  if (address.IsV4()) {
    return absl::StrCat("ipv4:", address.ToString(), ":", port);
  }
  return absl::StrCat("ipv6:%5B", address.ToString(), "%5D:", port);
}

absl::StatusOr<Network> Network::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const absl::StatusOr<IpAddress> address =
      IpAddress::Parse(text.substr(0, slash));
  int bits = 128;
  bool valid = address.ok();
  if (valid && slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    valid = length.find_first_not_of("0123456789") == std::string_view::npos &&
            absl::SimpleAtoi(Abseil(length), &bits);
    if (address->IsV4()) bits += kV4PrefixBits;
    valid = valid && bits <= 128;
  }
  if (!valid || Masked(*address, bits) != *address) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", Abseil(text),
        "\" is neither an IP address nor a network, for instance "
        "192.0.2.0/24 or 2001:db8::/32, with no bit set beyond its length"));
  }
  return Network(*address, bits);
}

bool Network::Contains(const IpAddress& address) const {
  return Masked(address, bits_) == address_;
}

}  // namespace mc::service

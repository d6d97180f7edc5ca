// IP addresses and networks, as connections have them and as configurations
// name them.
#ifndef MC_SERVICE_EDGE_ADDRESS_H_
#define MC_SERVICE_EDGE_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace mc::service {

// An address of IPv4 is kept as IPv6 maps it (::ffff:192.0.2.1): both forms of
// it are the same.
struct IpAddress {
  std::array<uint8_t, 16> bytes = {};

  static IpAddress V4(const uint8_t* four);
  static IpAddress V6(const uint8_t* sixteen);
  // "192.0.2.1" or "2001:db8::1"; INVALID_ARGUMENT for all else.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  bool IsV4() const;
  // What limits count as one: an address of IPv4, a network of 64 bits of IPv6.
  IpAddress Site() const;
  std::string ToString() const;

  auto operator<=>(const IpAddress&) const = default;
};

// Where a connection comes from.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  // Nothing for a socket that is not of IP.
  static std::optional<Endpoint> Of(const sockaddr_storage& address);
  // As gRPC writes a peer: "ipv4:192.0.2.1:5000", "ipv6:%5B2001:db8::1%5D:5000"
  std::string GrpcPeer() const;

  auto operator<=>(const Endpoint&) const = default;
};

class Network {
 public:
  // "192.0.2.0/24", "2001:db8::/32", or an address. INVALID_ARGUMENT for all
  // else, also where bits are set that the length leaves out.
  static absl::StatusOr<Network> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;

 private:
  Network(const IpAddress& address, int bits)
      : address_(address), bits_(bits) {}

  IpAddress address_;
  // Of 128.
  int bits_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_ADDRESS_H_

// Version 2 of the PROXY protocol, in which a balancer tells whose connection
// it hands on.
#ifndef MC_SERVICE_EDGE_PROXY_HEADER_H_
#define MC_SERVICE_EDGE_PROXY_HEADER_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "mc-service/edge/address.h"

namespace mc::service {

// What comes first in each header, and the most that follows: addresses and
// what balancers add to them (haproxy's own limit for a header is 16 KiB, none
// is known to need more than some hundred bytes).
inline constexpr size_t kProxyPrefixBytes = 16;
inline constexpr size_t kMaxProxyBodyBytes = 4096;

// How many bytes follow the first kProxyPrefixBytes. INVALID_ARGUMENT: it is
// no header of version 2, or one that says more than it may.
absl::StatusOr<size_t> ProxyBodyBytes(std::string_view prefix);

// Where the connection really comes from, of a whole header. Nothing: from the
// balancer itself (LOCAL: its health check), or it does not say.
// INVALID_ARGUMENT: what is there is not as the protocol has it, or is not of
// TCP over IP.
absl::StatusOr<std::optional<Endpoint>> ParseProxyHeader(
    std::string_view header);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_PROXY_HEADER_H_

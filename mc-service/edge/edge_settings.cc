#include "mc-service/edge/edge_settings.h"

#include <unistd.h>

#include <algorithm>

#include "common/lifecycle/lifecycle.h"
#include "common/time/proto_time.h"

namespace mc::service {
namespace {

// For the store, files that are read, and metrics; where the limit is low, for
// less.
constexpr int64_t kReserved = 256;
constexpr int64_t kFewest = 8;

// In eighths.
int64_t ShareOf(Listener listener) {
  switch (listener) {
    case Listener::kEnrollment:
    case Listener::kOperator:
      return 1;
    case Listener::kCluster:
      return 6;
    default:
      return 8;
  }
}

}  // namespace

int64_t DescriptorsForConnections() {
  const int64_t free = ::sysconf(_SC_OPEN_MAX) - OpenDescriptors();
  return free - std::min(kReserved, free / 4);
}

Acceptor::Limits AcceptorLimits(const config::Limits& limits, Listener listener,
                                int64_t descriptors) {
  const int64_t fit = std::max(kFewest, descriptors * ShareOf(listener) / 8);
  Acceptor::Limits result;
  result.max_connections =
      static_cast<size_t>(std::min<int64_t>(limits.max_connections(), fit));
  result.max_connections_per_site = limits.max_connections_per_address();
  result.handshakes_per_second = limits.handshakes_per_second();
  result.max_handshakes = limits.max_handshakes();
  result.handshake_timeout = *FromProto(limits.handshake_timeout());
  result.traffic.slow_reader_timeout = *FromProto(limits.slow_reader_timeout());
  result.traffic.max_bytes_per_second =
      limits.max_bytes_per_second_per_connection();
  return result;
}

std::vector<Network> Proxies(const config::Listener& listener) {
  std::vector<Network> networks;
  for (const std::string& text : listener.proxy_protocol_from()) {
    networks.push_back(*Network::Parse(text));
  }
  return networks;
}

}  // namespace mc::service

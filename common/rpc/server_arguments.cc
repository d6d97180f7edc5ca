#include "common/rpc/server_arguments.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <climits>
#include <cstdint>

namespace mc {
namespace {

constexpr absl::Duration kKeepaliveTime = absl::Seconds(45);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// Clients ping every 30 to 45 s; what comes more often is not welcome.
constexpr absl::Duration kMinClientPingInterval = absl::Seconds(20);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), INT_MAX));
}

}  // namespace

std::vector<std::pair<const char*, int>> ServerArguments(
    const ServerLimits& limits) {
  return {
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams},
      {GRPC_ARG_MAX_METADATA_SIZE, limits.max_metadata_bytes},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
       Milliseconds(limits.handshake_timeout)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout)},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      // The server's own pings, not bounded by data in between.
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       Milliseconds(kMinClientPingInterval)},
      {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.max_age)},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
       Milliseconds(limits.max_age_grace)},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.max_idle)},
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},
      {GRPC_ARG_ENABLE_CHANNELZ, 0},
      // A second service on the same port is an error, not half the traffic.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
  };
}

}  // namespace mc

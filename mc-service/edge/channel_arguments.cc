#include "mc-service/edge/channel_arguments.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <climits>

#include "absl/time/time.h"

namespace mc::service {
namespace {

// What the listeners differ in. The agents' settings match these: middleboxes
// cut a connection that is idle for about a minute, so both ends ping before.
struct Limits {
  int max_concurrent_streams;
  // Afterwards the client is asked to open another connection: balancers see
  // new connections, and an old TLS session does not live for ever.
  absl::Duration max_age;
  absl::Duration max_age_grace;
  // A connection without any call.
  absl::Duration max_idle;
};

Limits LimitsOf(Listener listener) {
  switch (listener) {
    case Listener::kEnrollment:
      // Whoever comes here is unknown: one or two calls, then good-bye.
      return {8, absl::Minutes(2), absl::Seconds(30), absl::Seconds(30)};
    case Listener::kCluster:
      return {64, absl::Hours(12), absl::Minutes(5), absl::InfiniteDuration()};
    default:
      return {256, absl::Hours(12), absl::Minutes(5), absl::Minutes(30)};
  }
}

constexpr int kMaxMetadataBytes = 16 << 10;
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(20);
constexpr absl::Duration kKeepaliveTime = absl::Seconds(45);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// Clients ping every 30 to 45 s; what comes more often is not welcome.
constexpr absl::Duration kMinClientPingInterval = absl::Seconds(20);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), INT_MAX));
}

}  // namespace

std::vector<std::pair<const char*, int>> ChannelArguments(Listener listener) {
  const Limits limits = LimitsOf(listener);
  return {
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams},
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout)},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      // The service's own pings, not bounded by data in between.
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
      // What the service sends at a time, and so what it keeps ready for each
      // connection: its answers are small, and there are many connections.
      {GRPC_ARG_TSI_MAX_FRAME_SIZE, 1024},
      // A second service on the same port is an error, not half the traffic.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
  };
}

}  // namespace mc::service

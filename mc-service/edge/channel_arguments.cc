#include "mc-service/edge/channel_arguments.h"

#include <grpc/grpc.h>

#include "common/rpc/server_arguments.h"

namespace mc::service {
namespace {

constexpr int kMaxMetadataBytes = 16 << 10;

ServerLimits LimitsOf(Listener listener, absl::Duration handshake_timeout) {
  switch (listener) {
    case Listener::kEnrollment:
      // Whoever comes here is unknown: one or two calls, then good-bye.
      return {8,
              kMaxMetadataBytes,
              handshake_timeout,
              absl::Minutes(2),
              absl::Seconds(30),
              absl::Seconds(30)};
    case Listener::kCluster:
      return {64,
              kMaxMetadataBytes,
              handshake_timeout,
              absl::Hours(12),
              absl::Minutes(5),
              absl::InfiniteDuration()};
    default:
      return {256,
              kMaxMetadataBytes,
              handshake_timeout,
              absl::Hours(12),
              absl::Minutes(5),
              absl::Minutes(30)};
  }
}

}  // namespace

std::vector<std::pair<const char*, int>> ChannelArguments(
    Listener listener, absl::Duration handshake_timeout) {
  auto arguments = ServerArguments(LimitsOf(listener, handshake_timeout));
  // What the service sends at a time, and so what it keeps ready for each
  // connection: its answers are small, and there are many connections.
  arguments.emplace_back(GRPC_ARG_TSI_MAX_FRAME_SIZE, 1024);
  return arguments;
}

}  // namespace mc::service

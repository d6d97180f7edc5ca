// What gRPC is told about the connections of a listener.
#ifndef MC_SERVICE_EDGE_CHANNEL_ARGUMENTS_H_
#define MC_SERVICE_EDGE_CHANNEL_ARGUMENTS_H_

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// Names (literals) and values for grpc::ServerBuilder::AddChannelArgument.
std::vector<std::pair<const char*, int>> ChannelArguments(
    Listener listener, absl::Duration handshake_timeout = absl::Seconds(10));

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_CHANNEL_ARGUMENTS_H_

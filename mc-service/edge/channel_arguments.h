// What gRPC is told about the connections of a listener.
#ifndef MC_SERVICE_EDGE_CHANNEL_ARGUMENTS_H_
#define MC_SERVICE_EDGE_CHANNEL_ARGUMENTS_H_

#include <utility>
#include <vector>

#include "mc-service/edge/policy.h"

namespace mc::service {

// Names (literals) and values for grpc::ServerBuilder::AddChannelArgument.
std::vector<std::pair<const char*, int>> ChannelArguments(Listener listener);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_CHANNEL_ARGUMENTS_H_

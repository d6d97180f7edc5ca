// What gRPC is told about the connections of a listener that others reach over
// the network.
#ifndef COMMON_RPC_SERVER_ARGUMENTS_H_
#define COMMON_RPC_SERVER_ARGUMENTS_H_

#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace mc {

// What listeners differ in.
struct ServerLimits {
  int max_concurrent_streams = 0;
  int max_metadata_bytes = 0;
  absl::Duration handshake_timeout;
  // Afterwards the client is asked to open another connection: balancers see
  // new connections, and an old TLS session does not live for ever.
  absl::Duration max_age;
  absl::Duration max_age_grace;
  // A connection without any call.
  absl::Duration max_idle;
};

// Names (literals) and values for grpc::ServerBuilder::AddChannelArgument. The
// agents' pings match them: middleboxes cut a connection that is idle for about
// a minute, so both ends ping before.
std::vector<std::pair<const char*, int>> ServerArguments(
    const ServerLimits& limits);

}  // namespace mc

#endif  // COMMON_RPC_SERVER_ARGUMENTS_H_

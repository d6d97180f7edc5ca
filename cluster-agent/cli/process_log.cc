#include "cluster-agent/cli/process_log.h"

#include <string_view>

#include "common/log/log_config.h"
#include "common/rpc/grpc_log.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;

// gRPC says the same at every attempt to connect; what the agent waits for is
// said once by ourselves.
void LogGrpc(std::string_view line) {
  LogDebug("gRPC reports", {{"detail", line}});
}

}  // namespace

void BeginLog(const config::Log& log) {
  InitLog(LogOptionsOf(log));
  SetGrpcLog(LogGrpc);
}

}  // namespace mc::agent

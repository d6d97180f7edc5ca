#include "cluster-agent/cli/process_log.h"

#include <grpc/support/log.h>

#include "common/log/log_config.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;

// gRPC says the same at every attempt to connect; what the agent waits for is
// said once by ourselves.
void LogGrpc(gpr_log_func_args* line) {
  if (line->severity < GPR_LOG_SEVERITY_ERROR) return;
  LogDebug("gRPC reports", {{"detail", line->message}});
}

}  // namespace

void BeginLog(const config::Log& log) {
  InitLog(LogOptionsOf(log));
  gpr_set_log_function(LogGrpc);
}

}  // namespace mc::agent

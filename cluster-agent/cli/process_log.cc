#include "cluster-agent/cli/process_log.h"

#include <grpc/support/log.h>

#include "common/log/log.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;

LogOptions LogOptionsOf(const config::Log& log) {
  LogOptions options;
  options.json = log.format() != config::LOG_FORMAT_TEXT;
  switch (log.level()) {
    case config::LOG_LEVEL_DEBUG:
      options.level = LogLevel::kDebug;
      break;
    case config::LOG_LEVEL_WARNING:
      options.level = LogLevel::kWarning;
      break;
    case config::LOG_LEVEL_ERROR:
      options.level = LogLevel::kError;
      break;
    default:
      options.level = LogLevel::kInfo;
  }
  return options;
}

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

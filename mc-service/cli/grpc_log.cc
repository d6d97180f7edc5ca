#include "mc-service/cli/grpc_log.h"

#include <grpc/support/log.h>

#include <atomic>

#include "common/log/log.h"

namespace mc::service {
namespace {

std::atomic<bool> started{false};

void LogGrpc(gpr_log_func_args* line) {
  if (line->severity < GPR_LOG_SEVERITY_ERROR || !started) return;
  LogWarning("gRPC reports", {{"detail", line->message}});
}

}  // namespace

GrpcLog::GrpcLog() { gpr_set_log_function(LogGrpc); }

void GrpcLog::Started() { started = true; }

}  // namespace mc::service

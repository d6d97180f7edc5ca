#include "mc-service/cli/grpc_log.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "common/log/log.h"
#include "common/retry/rate_limit.h"
#include "common/rpc/grpc_log.h"
#include "common/time/clock.h"

namespace mc::service {
namespace {

std::atomic<bool> started{false};

// Whoever makes many bad handshakes must not fill the log.
void LogGrpc(std::string_view line) {
  if (!started) return;
  static const RealClock clock;
  static RateLimit lines(
      {.burst = 50, .per_second = 2, .max_keys = 1, .clock = &clock});
  if (lines.Take("") != absl::ZeroDuration()) return;
  LogWarning("gRPC reports", {{"detail", line}});
}

}  // namespace

GrpcLog::GrpcLog() {
  SetGrpcLog(LogGrpc);
  // gRPC would take weaker cipher suites from it.
  ::unsetenv("GRPC_SSL_CIPHER_SUITES");
}

void GrpcLog::Started() { started = true; }

}  // namespace mc::service

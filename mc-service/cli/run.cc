#include "mc-service/cli/run.h"

#include <grpc/support/log.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/lifecycle/lifecycle.h"
#include "common/log/log_config.h"
#include "common/retry/rate_limit.h"
#include "common/time/clock.h"
#include "common/tls/idle_memory.h"
#include "mc-service/cli/checks.h"
#include "mc-service/server.h"

namespace mc::service {
namespace {

// gRPC's own lines become ours. What it says while the service starts comes
// back as the error of starting; afterwards it is about clients, for instance
// why a handshake was refused.
std::atomic<bool> started{false};

// Whoever makes many bad handshakes must not fill the log.
void LogGrpc(gpr_log_func_args* line) {
  if (line->severity < GPR_LOG_SEVERITY_ERROR || !started) return;
  static const RealClock clock;
  static RateLimit lines(
      {.burst = 50, .per_second = 2, .max_keys = 1, .clock = &clock});
  if (lines.Take("") != absl::ZeroDuration()) return;
  LogWarning("gRPC reports", {{"detail", line->message}});
}

}  // namespace

absl::Status Run(const Configuration& configuration) {
  RealClock clock;
  const std::vector<Problem> problems =
      CheckConfiguration(configuration, clock.Now());
  absl::Status status = FirstError(problems);
  if (!status.ok()) return status;
  InitLog(LogOptionsOf(configuration.values.log()));
  gpr_set_log_function(LogGrpc);
  // gRPC would take weaker cipher suites from it.
  ::unsetenv("GRPC_SSL_CIPHER_SUITES");
  StopSignal stop;
  RaiseDescriptorLimit();
  KeepNoIdleTlsBuffers();
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start({.configuration = configuration, .clock = &clock});
  if (!server.ok()) return server.status();
  started = true;
  for (const Problem& problem : problems) {
    LogWarning("weak setting", {{"detail", Describe(problem)}});
  }
  const Ports& ports = (*server)->ports();
  LogInfo("ready", {{"enrollment_port", ports.enrollment},
                    {"cluster_port", ports.cluster},
                    {"operator_port", ports.operator_},
                    {"metrics_port", ports.metrics}});
  stop.Wait();
  LogInfo("stopping", {});
  (*server)->Drain();
  LogInfo("stopped", {});
  return absl::OkStatus();
}

}  // namespace mc::service

#include "mc-service/cli/run.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/lifecycle/lifecycle.h"
#include "common/log/log_config.h"
#include "common/time/clock.h"
#include "common/tls/idle_memory.h"
#include "mc-service/cli/checks.h"
#include "mc-service/cli/grpc_log.h"
#include "mc-service/server.h"

namespace mc::service {

absl::Status Run(const Configuration& configuration) {
  RealClock clock;
  const std::vector<Problem> problems =
      CheckConfiguration(configuration, clock.Now());
  absl::Status status = FirstError(problems);
  if (!status.ok()) return status;
  InitLog(LogOptionsOf(configuration.values.log()));
  GrpcLog grpc_log;
  StopSignal stop;
  RaiseDescriptorLimit();
  KeepNoIdleTlsBuffers();
  absl::StatusOr<std::unique_ptr<Server>> server =
      Server::Start({.configuration = configuration, .clock = &clock});
  if (!server.ok()) return server.status();
  grpc_log.Started();
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

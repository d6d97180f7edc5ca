#include "mc-service/cli/front_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/lifecycle/lifecycle.h"
#include "common/log/log_config.h"
#include "common/time/clock.h"
#include "common/tls/idle_memory.h"
#include "mc-service/cli/checks.h"
#include "mc-service/cli/grpc_log.h"
#include "mc-service/enroll/enroll_front.h"

namespace mc::service {

CLI::App* AddFrontCommand(CLI::App& app, FrontOptions& options) {
  CLI::App* front = app.add_subcommand(
      "enroll-front",
      "Run the enrollment front: a process for those who have no certificate");
  front->add_option("--config", options.config, "The service's configuration")
      ->capture_default_str();
  CLI::Option* certificate = front->add_option(
      "--certificate-file", options.certificate_file,
      "The listener's certificate chain (PEM), in the place of "
      "listeners.enrollment.certificate_file");
  CLI::Option* key =
      front->add_option("--key-file", options.key_file, "Its key (PEM)");
  certificate->needs(key);
  key->needs(certificate);
  front
      ->add_option("--metrics", options.metrics,
                   "host:port of /metrics, /healthz and /readyz")
      ->capture_default_str();
  front->add_option("--ports-file", options.ports_file,
                    "Tell the ports in this file while it runs, as JSON; "
                    "useful with port 0");
  front->footer(
      "It opens listeners.enrollment, checks and limits each call, and hands "
      "it "
      "over to the\nservice through enrollment_front.socket. Run it as a user "
      "who cannot read the state directory.\n"
      "Examples:\n"
      "  mc-service enroll-front --config DIR/mc-service.yaml\n"
      "  mc-service healthcheck --front");
  return front;
}

absl::Status RunFront(const FrontOptions& options) {
  RealClock clock;
  absl::StatusOr<Configuration> configuration =
      LoadConfiguration(options.config);
  if (!configuration.ok()) return configuration.status();
  if (!options.certificate_file.empty()) {
    config::Listener* listener =
        configuration->values.mutable_listeners()->mutable_enrollment();
    listener->set_certificate_file(options.certificate_file);
    listener->set_key_file(options.key_file);
  }
  const std::vector<Problem> problems = CheckFront(*configuration, clock.Now());
  absl::Status status = FirstError(problems);
  if (!status.ok()) return status;
  InitLog(LogOptionsOf(configuration->values.log()));
  GrpcLog grpc_log;
  StopSignal stop;
  RaiseDescriptorLimit();
  KeepNoIdleTlsBuffers();
  auto front = EnrollFront::Start({.configuration = *configuration,
                                   .metrics_address = options.metrics,
                                   .clock = &clock});
  if (!front.ok()) return front.status();
  const Ports& ports = (*front)->ports();
  if (!options.ports_file.empty()) {
    status = WritePorts(ports, options.ports_file);
    if (!status.ok()) return status;
  }
  const absl::Cleanup remove = [&options] {
    if (!options.ports_file.empty()) ::unlink(options.ports_file.c_str());
  };
  grpc_log.Started();
  for (const Problem& problem : problems) {
    LogWarning("weak setting", {{"detail", Describe(problem)}});
  }
  LogInfo("ready", {{"enrollment_port", ports.enrollment},
                    {"metrics_port", ports.metrics}});
  stop.Wait();
  LogInfo("stopping", {});
  (*front)->Drain();
  LogInfo("stopped", {});
  return absl::OkStatus();
}

CLI::App* AddFrontFilesCommand(CLI::App& app, FrontFilesOptions& options) {
  CLI::App* files = app.add_subcommand(
      "enroll-front-files",
      "Copy what the enrollment front needs of the state directory");
  files->add_option("--config", options.config, "The service's configuration")
      ->capture_default_str();
  files
      ->add_option("--directory", options.directory,
                   "Where tls.crt and tls.key are put; it must be there")
      ->required();
  files->footer(
      "For where the front cannot read the state directory and the listener "
      "has "
      "no certificate of\nits own: before each start of the front.\n"
      "Example:\n"
      "  mc-service enroll-front-files --config DIR/mc-service.yaml \\\n"
      "    --directory /run/mission-control-front");
  return files;
}

absl::Status CopyFrontFiles(const FrontFilesOptions& options) {
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(options.config);
  if (!configuration.ok()) return configuration.status();
  const config::Listener& listener =
      configuration->values.listeners().enrollment();
  const absl::StatusOr<std::string> certificate =
      ReadFile(listener.certificate_file());
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key = ReadPrivateFile(listener.key_file());
  if (!key.ok()) return key.status();
  absl::Status status =
      AtomicWrite(absl::StrCat(options.directory, "/tls.key"), *key, 0600);
  status.Update(AtomicWrite(absl::StrCat(options.directory, "/tls.crt"),
                            *certificate, 0644));
  return status;
}

}  // namespace mc::service

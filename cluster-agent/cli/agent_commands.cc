#include "cluster-agent/cli/agent_commands.h"

#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/agent.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/process_log.h"
#include "cluster-agent/cli/run_with_lease.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/domain/description/description.h"
#include "cluster-agent/domain/health/health_builder.h"
#include "cluster-agent/exchange/channel.h"
#include "cluster-agent/exchange/enrollment.h"
#include "cluster-agent/exchange/pacer.h"
#include "cluster-agent/state/directory_lock.h"
#include "cluster-agent/state/state_directory.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/lifecycle/lifecycle.h"
#include "common/log/log.h"
#include "common/rpc/grpc_log.h"
#include "common/time/clock.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

absl::StatusOr<CheckedConfiguration> Load(const std::string& file) {
  absl::StatusOr<CheckedConfiguration> checked =
      LoadChecked(file, std::getenv("MC_LICENSE_KEY"));
  if (checked.ok() && IsNode(checked->configuration.values)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file,
                     " is a node's configuration; start it with cluster-agent "
                     "node run, or leave node out"));
  }
  return checked;
}

// A single call to the enrollment listener.
class EnrollmentCall {
 public:
  explicit EnrollmentCall(const CheckedConfiguration& checked)
      : checked_(checked) {}
  ~EnrollmentCall() {
    in_flight_.CancelAndWait();
    executor_.Shutdown();
  }

  absl::Status Prepare() {
    SetGrpcLog(nullptr);
    const config::AgentConfig& values = checked_.configuration.values;
    const absl::Duration pause = ToAbsl(values.schedule().backoff_max());
    const auto channel = MakeChannel(
        {.address = values.service().enrollment(),
         .proxy = checked_.files.proxy.ProxyFor(values.service().enrollment()),
         .root_pem = checked_.files.root_pem,
         .cert_chain_pem = "",
         .key_pem = "",
         .backoff_initial = ToAbsl(values.schedule().backoff_initial()),
         .backoff_max = pause});
    if (!channel.ok()) return channel.status();
    enrollment_ = std::make_unique<Enrollment>(Enrollment::Options{
        .channel = *channel,
        .in_flight = &in_flight_,
        .executor = &executor_,
        .license_key = checked_.files.license_key,
        .token = {EnvironmentEnrollmentToken(), values.enrollment_token_file()},
        .agent_version = AgentVersion()});
    return absl::OkStatus();
  }

  template <typename Answer>
  absl::StatusOr<Answer> Wait(
      const std::function<void(
          Enrollment&, std::function<void(absl::StatusOr<Answer>)>)>& start) {
    absl::StatusOr<Answer> result;
    absl::Notification answered;
    start(*enrollment_, [&](absl::StatusOr<Answer> answer) {
      result = std::move(answer);
      answered.Notify();
    });
    answered.WaitForNotification();
    return Explained(std::move(result));
  }

  absl::Time Now() const { return clock_.Now(); }

 private:
  template <typename Answer>
  absl::StatusOr<Answer> Explained(absl::StatusOr<Answer> answer) const {
    if (answer.ok()) return answer;
    const std::string& address =
        checked_.configuration.values.service().enrollment();
    if (IsUnreachable(answer.status())) {
      return absl::UnavailableError(
          absl::StrCat("the service at ", address,
                       " does not answer; check the address, the network and "
                       "service.ca_file (",
                       answer.status().message(), ")"));
    }
    if (IsRefusal(answer.status())) {
      return absl::Status(answer.status().code(), Advice(answer.status()));
    }
    return answer;
  }

  const CheckedConfiguration& checked_;
  RealClock clock_;
  InFlight in_flight_;
  // The channel goes before the executor does, and not on its threads.
  Executor executor_{1, 16};
  std::unique_ptr<Enrollment> enrollment_;
};

// Absent while an agent runs: it holds the state directory.
absl::StatusOr<std::optional<StateDirectory>> OpenUnlessRunning(
    const std::string& path) {
  const absl::Status usable = EnsurePrivateDirectory(path);
  if (!usable.ok()) return usable;
  if (!DirectoryLock::Acquire(path).ok()) return std::nullopt;
  absl::StatusOr<StateDirectory> state = StateDirectory::Open(path);
  if (!state.ok()) return state.status();
  return std::optional<StateDirectory>(*std::move(state));
}

}  // namespace

std::string EnvironmentEnrollmentToken() {
  const char* const token = std::getenv("MC_ENROLLMENT_TOKEN");
  return token == nullptr ? "" : token;
}

std::string EnvironmentJoinToken() {
  const char* const token = std::getenv("MC_JOIN_TOKEN");
  return token == nullptr ? "" : token;
}

absl::Status RunAgent(const std::string& config_file) {
  absl::StatusOr<CheckedConfiguration> checked = Load(config_file);
  if (!checked.ok()) return checked.status();
  BeginLog(checked->configuration.values.log());
  StopSignal stop;
  RaiseDescriptorLimit();
  RealClock clock;
  const std::string instance_id = RandomUuid();
  if (checked->configuration.values.mastership().has_kubernetes_lease()) {
    return RunWithLease(*std::move(checked), instance_id, stop, clock);
  }
  absl::StatusOr<std::unique_ptr<Agent>> agent =
      Agent::Start({.checked = *std::move(checked),
                    .clock = &clock,
                    .join_token = EnvironmentJoinToken(),
                    .enrollment_token = EnvironmentEnrollmentToken(),
                    .instance_id = instance_id});
  if (!agent.ok()) return agent.status();
  LogInfo("ready", {{"version", AgentVersion()}});
  stop.Wait();
  LogInfo("stopping");
  (*agent)->Stop();
  LogInfo("stopped");
  return absl::OkStatus();
}

absl::Status InstallOnce(const std::string& config_file, bool json) {
  const absl::StatusOr<CheckedConfiguration> checked = Load(config_file);
  if (!checked.ok()) return checked.status();
  const config::AgentConfig& values = checked->configuration.values;
  auto state = OpenUnlessRunning(values.state_directory());
  if (!state.ok()) return state.status();
  const auto description = Description::Open(values.state_directory());
  if (!description.ok()) return description.status();
  HealthSources sources;
  sources.values = &values;
  sources.description = description->get();
  const absl::StatusOr<std::string> version = ProductVersion(sources);
  if (!version.ok()) return version.status();
  EnrollmentCall call(*checked);
  absl::Status status = call.Prepare();
  if (!status.ok()) return status;
  const absl::StatusOr<v1::InstallResponse> answer =
      call.Wait<v1::InstallResponse>([&](Enrollment& enrollment, auto done) {
        enrollment.Install(*version, std::move(done));
      });
  if (!answer.ok()) return answer.status();
  if (state->has_value()) {
    SharedState shared;
    shared.directory = &**state;
    status =
        KeepInstallation(shared, AgentVersion(), *version, *answer, call.Now());
    if (!status.ok()) return status;
  }
  if (json) return PrintJson(*answer);
  std::cout << "Account  " << answer->account_name() << "\nLicense  "
            << answer->license_name() << "\n";
  if (answer->has_one_agent()) {
    std::cout << "OneAgent " << answer->one_agent().download_url() << "\n";
  }
  return absl::OkStatus();
}

absl::Status RegisterOnce(const std::string& config_file, bool json) {
  const absl::StatusOr<CheckedConfiguration> checked = Load(config_file);
  if (!checked.ok()) return checked.status();
  absl::StatusOr<StateDirectory> state =
      StateDirectory::Open(checked->configuration.values.state_directory());
  if (!state.ok()) return state.status();
  SharedState shared;
  shared.directory = &*state;
  EnrollmentCall call(*checked);
  absl::Status status = call.Prepare();
  if (!status.ok()) return status;
  const absl::StatusOr<v1::RegisterResponse> answer =
      call.Wait<v1::RegisterResponse>([&](Enrollment& enrollment, auto done) {
        enrollment.Register(shared, std::move(done));
      });
  if (!answer.ok()) return answer.status();
  status =
      KeepRegistration(shared, checked->files.license_key, *answer, call.Now());
  if (!status.ok()) return status;
  if (json) {
    // The password is a secret; it stays in the state directory.
    v1::RegisterResponse shown = *answer;
    shown.clear_password();
    return PrintJson(shown);
  }
  std::cout << "Registered as cluster " << state->cluster_id() << "\n";
  return absl::OkStatus();
}

}  // namespace mc::agent

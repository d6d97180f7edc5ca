#include "cluster-agent/cli/run_with_lease.h"

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/agent.h"
#include "cluster-agent/cli/agent_commands.h"
#include "cluster-agent/local/local_server.h"
#include "cluster-agent/local/standby_service.h"
#include "cluster-agent/mastership/kubernetes_lease.h"
#include "cluster-agent/mastership/lease_keeper.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr absl::Duration kStopGrace = absl::Seconds(1);

PodEnvironment ThisPod() {
  const auto get = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  PodEnvironment pod;
  pod.service_host = get("KUBERNETES_SERVICE_HOST");
  pod.service_port = get("KUBERNETES_SERVICE_PORT");
  return pod;
}

// The pod's name is its host name. It stays in the cluster of Kubernetes.
std::string Identity(const std::string& instance_id) {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') {
    return instance_id;
  }
  return absl::StrCat(name, "_", instance_id);
}

// What the main thread waits for.
class Events {
 public:
  void SetHeld() {
    absl::MutexLock lock(&mutex_);
    held_ = true;
  }
  void SetLost() {
    absl::MutexLock lock(&mutex_);
    lost_ = true;
  }
  void SetStop() {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  bool lost() const {
    absl::MutexLock lock(&mutex_);
    return lost_;
  }

  // Returns whether this agent is the master.
  bool AwaitMastership() {
    absl::MutexLock lock(&mutex_, absl::Condition(this, &Events::Decided));
    return held_ && !Over();
  }
  void AwaitEnd() {
    absl::MutexLock lock(&mutex_, absl::Condition(this, &Events::Over));
  }

 private:
  bool Decided() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return held_ || stop_;
  }
  bool Over() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return lost_ || stop_;
  }

  mutable absl::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
};

// Turns the signal into an event, and ends with the object.
class SignalWatch {
 public:
  SignalWatch(StopSignal& stop, Events& events)
      : thread_([&stop, &events] {
          stop.Wait();
          events.SetStop();
        }) {}
  ~SignalWatch() {
    StopSignal::RequestStop();
    thread_.join();
  }

 private:
  std::thread thread_;
};

absl::Status Lost() {
  return Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_NOT_MASTER,
               "the Lease was lost: this agent is no longer the master; start "
               "it again, and it waits for its turn");
}

absl::StatusOr<std::unique_ptr<LocalServer>> ServeStandby(
    const Configuration& configuration, StandbyService* service) {
  const absl::Status made =
      EnsureSocketDirectory(configuration.values.socket_directory());
  if (!made.ok()) return made;
  return LocalServer::Start({.socket = LocalSocket::kAdmin,
                             .path = configuration.AdminSocket(),
                             .group = {},
                             .deps = {},
                             .instead = service});
}

absl::Status RunAsMaster(CheckedConfiguration checked,
                         const std::string& instance_id, RealClock& clock,
                         Events& events) {
  absl::StatusOr<std::unique_ptr<Agent>> agent =
      Agent::Start({.checked = std::move(checked),
                    .clock = &clock,
                    .join_token = EnvironmentJoinToken(),
                    .enrollment_token = EnvironmentEnrollmentToken(),
                    .instance_id = instance_id});
  if (!agent.ok()) return agent.status();
  LogInfo("ready", {{"version", AgentVersion()}});
  events.AwaitEnd();
  LogInfo("stopping");
  (*agent)->Stop();
  LogInfo("stopped");
  return absl::OkStatus();
}

}  // namespace

absl::Status RunWithLease(CheckedConfiguration checked,
                          const std::string& instance_id, StopSignal& stop,
                          RealClock& clock) {
  const config::KubernetesLease& values =
      checked.configuration.values.mastership().kubernetes_lease();
  const absl::Duration renew_deadline = ToAbsl(values.renew_deadline());
  absl::StatusOr<KubernetesLeaseOptions> where =
      ResolveKubernetesLease(values, ThisPod());
  if (!where.ok()) return where.status();
  // As client-go: a call that hangs leaves time for another.
  where->timeout = renew_deadline / 2;
  where->clock = &clock;
  const std::unique_ptr<LeaseApi> api = MakeKubernetesLease(*where);
  Events events;
  LeaseKeeper keeper(
      {.api = api.get(),
       .clock = &clock,
       .identity = Identity(instance_id),
       .lease_name = absl::StrCat(where->name_space, "/", where->name),
       .lease_duration = ToAbsl(values.lease_duration()),
       .renew_deadline = renew_deadline,
       .retry_period = ToAbsl(values.retry_period()),
       .draw = RandomDraw(),
       .on_held = [&events] { events.SetHeld(); },
       .on_lost = [&events] { events.SetLost(); },
       .on_expired =
           [] {
             LogError("the agent did not end in time; it is ended now");
             _exit(kNotMaster);
           }});
  const absl::Time started_at = clock.Now();
  StandbyService service([&] {
    v1::GetStatusResponse status;
    status.set_mastership_state(v1::MASTERSHIP_STATE_STANDBY);
    status.set_agent_version(AgentVersion());
    status.set_agent_instance_id(instance_id);
    *status.mutable_started_at() = mc::ToProto(started_at);
    status.set_waiting_for(keeper.WaitingFor());
    return status;
  });
  auto standby = ServeStandby(checked.configuration, &service);
  if (!standby.ok()) return standby.status();
  const SignalWatch watch(stop, events);
  keeper.Start();
  const bool master = events.AwaitMastership();
  (*standby)->Stop(kStopGrace);
  standby->reset();
  absl::Status status;
  if (master) {
    status = RunAsMaster(std::move(checked), instance_id, clock, events);
  }
  // The state is closed: the next master need not wait.
  if (events.lost()) return Lost();
  const absl::Status released = keeper.Release();
  if (!released.ok()) {
    LogWarning(
        "the Lease could not be given back; the next master waits until "
        "it ends",
        {{"detail", std::string(released.message())}});
  }
  return status;
}

}  // namespace mc::agent

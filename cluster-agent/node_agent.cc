#include "cluster-agent/node_agent.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/agent.h"
#include "cluster-agent/domain/description/description.h"
#include "cluster-agent/domain/health/health_builder.h"
#include "cluster-agent/local/local_sockets.h"
#include "cluster-agent/node/join.h"
#include "cluster-agent/node/membership.h"
#include "cluster-agent/state/node_state.h"
#include "common/crypto/digest.h"
#include "common/executor/executor.h"
#include "common/log/log.h"
#include "common/time/proto_time.h"
#include "common/time/timer_queue.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// One may join, or wait for the disk, while the others go on.
constexpr int kThreads = 3;
constexpr size_t kMaxQueued = 1024;
constexpr absl::Duration kStopGrace = absl::Seconds(3);

class RunningNodeAgent : public NodeAgent {
 public:
  explicit RunningNodeAgent(Options options)
      : options_(std::move(options)),
        started_at_(options_.clock->Now()),
        instance_id_(RandomUuid()),
        executor_(kThreads, kMaxQueued),
        timers_(options_.clock) {}
  ~RunningNodeAgent() override { Stop(); }

  absl::Status Open();
  void Stop() override;
  absl::Status failure() const override {
    absl::MutexLock lock(&mutex_);
    return failure_;
  }

 private:
  const config::AgentConfig& values() const {
    return options_.checked.configuration.values;
  }
  HealthSources Sources() const;
  absl::Status OpenState();
  absl::StatusOr<v1::NodeReport> Report() ABSL_LOCKS_EXCLUDED(mutex_);
  v1::GetStatusResponse Status() const;

  const Options options_;
  const absl::Time started_at_;
  const std::string instance_id_;
  std::optional<NodeState> node_state_;
  SharedNodeState state_;
  std::string node_id_;
  std::unique_ptr<Description> description_;
  // What runs on the executor and the timers uses it: it goes after them.
  std::unique_ptr<Membership> membership_;
  mutable absl::Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  // What could not be read last, so that it is said once.
  std::string missing_ ABSL_GUARDED_BY(mutex_);
  Executor executor_;
  TimerQueue timers_;
  std::unique_ptr<LocalSockets> sockets_;
  bool stopped_ = false;
};

HealthSources RunningNodeAgent::Sources() const {
  return {.collect = {values().host_root()},
          .values = &values(),
          .inventory = &options_.checked.files.inventory,
          .description = description_.get(),
          .cluster_id = "",
          .node_id = node_id_,
          .agent_version = AgentVersion()};
}

absl::Status RunningNodeAgent::OpenState() {
  absl::StatusOr<NodeState> state = OpenNodeState(values());
  if (!state.ok()) return state.status();
  node_state_.emplace(*std::move(state));
  state_.directory = &*node_state_;
  node_id_ = node_state_->node_id();
  auto description = Description::Open(node_state_->path());
  if (!description.ok()) return description.status();
  description_ = *std::move(description);
  return absl::OkStatus();
}

absl::Status RunningNodeAgent::Open() {
  const absl::Status opened = OpenState();
  if (!opened.ok()) return opened;
  membership_ = std::make_unique<Membership>(
      Membership::Options{.values = &values(),
                          .clock = options_.clock,
                          .timers = &timers_,
                          .executor = &executor_,
                          .state = &state_,
                          .token = options_.token,
                          .agent_version = AgentVersion(),
                          .agent_instance_id = instance_id_,
                          .report = [this] { return Report(); },
                          .on_failed =
                              [this](const absl::Status& failure) {
                                {
                                  absl::MutexLock lock(&mutex_);
                                  failure_ = failure;
                                }
                                options_.on_failed();
                              }});
  auto sockets = LocalSockets::Open(
      options_.checked.configuration,
      {.outbox = nullptr,
       .description = description_.get(),
       .executor = &executor_,
       .clock = options_.clock,
       .other_environments = {},
       .status = [this] { return Status(); },
       .on_described = [this] { membership_->ReportNow(); }});
  if (!sockets.ok()) return sockets.status();
  sockets_ = *std::move(sockets);
  membership_->Start();
  return absl::OkStatus();
}

absl::StatusOr<v1::NodeReport> RunningNodeAgent::Report() {
  const HealthSources sources = Sources();
  absl::StatusOr<BuiltNode> built = BuildNodeHealth(sources);
  if (!built.ok()) return built.status();
  std::string missing;
  for (const absl::Status& status : built->missing) {
    absl::StrAppend(&missing, missing.empty() ? "" : "; ", status.message());
  }
  {
    absl::MutexLock lock(&mutex_);
    if (missing != missing_ && !missing.empty()) {
      LogWarning("the report goes without what cannot be read",
                 {{"detail", missing}});
    }
    missing_ = std::move(missing);
  }
  v1::NodeReport report;
  *report.mutable_observed_at() = mc::ToProto(options_.clock->Now());
  *report.mutable_node() = std::move(built->node);
  for (v1::ActiveGateHealth& gate : KnownActiveGates(sources)) {
    *report.add_active_gates() = std::move(gate);
  }
  return report;
}

v1::GetStatusResponse RunningNodeAgent::Status() const {
  v1::GetStatusResponse status;
  membership_->Fill(status);
  status.set_agent_version(AgentVersion());
  status.set_agent_instance_id(instance_id_);
  *status.mutable_started_at() = mc::ToProto(started_at_);
  const absl::StatusOr<std::string> version = ProductVersion(Sources());
  if (version.ok()) status.set_product_version(*version);
  return status;
}

void RunningNodeAgent::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (sockets_ != nullptr) sockets_->Stop(kStopGrace);
  if (membership_ != nullptr) membership_->Stop();
  timers_.Stop();
  executor_.Shutdown();
}

}  // namespace

absl::StatusOr<std::unique_ptr<NodeAgent>> NodeAgent::Start(Options options) {
  auto agent = std::make_unique<RunningNodeAgent>(std::move(options));
  const absl::Status status = agent->Open();
  if (!status.ok()) return status;
  return agent;
}

}  // namespace mc::agent

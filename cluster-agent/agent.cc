#include "cluster-agent/agent.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/domain/description/description.h"
#include "cluster-agent/domain/inventory/inventory.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/exchange/exchanges.h"
#include "cluster-agent/local/local_server.h"
#include "cluster-agent/outbox/outbox.h"
#include "cluster-agent/state/state_directory.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/executor/executor.h"
#include "common/files/files.h"
#include "common/log/log.h"
#include "common/time/proto_time.h"
#include "common/time/timer_queue.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// Two may wait for the disk while the others go on.
constexpr int kThreads = 4;
constexpr size_t kMaxQueued = 4096;
constexpr absl::Duration kStopGrace = absl::Seconds(3);
// After a frame's end, so that what was used in it has been recorded.
constexpr absl::Duration kFrameGrace = absl::Milliseconds(500);
// How much monitored time a crash can cost at most.
constexpr absl::Duration kInventoryTick = absl::Minutes(1);

class RunningAgent : public Agent {
 public:
  explicit RunningAgent(Options options)
      : options_(std::move(options)),
        started_at_(options_.clock->Now()),
        instance_id_(RandomUuid()),
        board_(options_.clock),
        executor_(kThreads, kMaxQueued),
        timers_(options_.clock),
        monitored_(options_.clock->Now()) {}
  ~RunningAgent() override { Stop(); }

  absl::Status Open();
  void Stop() override;

 private:
  const Configuration& configuration() const {
    return options_.checked.configuration;
  }
  const config::Inventory& inventory() const {
    return options_.checked.files.inventory;
  }
  HealthSources Sources() const;
  absl::Status OpenState();
  absl::Status Listen();
  v1::GetStatusResponse Status();

  void ScheduleFrames();
  void OnFrameEnd();
  void ScheduleInventory();
  // Records the inventory's hosts as monitored until now. Waits for the disk.
  void RecordInventory() ABSL_LOCKS_EXCLUDED(inventory_mutex_);

  const Options options_;
  const absl::Time started_at_;
  const std::string instance_id_;
  StatusBoard board_;
  std::optional<StateDirectory> state_directory_;
  SharedState state_;
  std::unique_ptr<Description> description_;
  // Uses the outbox, whose callbacks end in it: it goes after the outbox.
  std::unique_ptr<Exchanges> exchanges_;
  std::unique_ptr<Outbox> outbox_;
  Executor executor_;
  TimerQueue timers_;
  absl::Mutex inventory_mutex_;
  MonitoredTime monitored_ ABSL_GUARDED_BY(inventory_mutex_);
  std::unique_ptr<LocalServer> product_server_;
  std::unique_ptr<LocalServer> admin_server_;
  bool stopped_ = false;
};

HealthSources RunningAgent::Sources() const {
  return {.collect = CollectOptions(),
          .values = &configuration().values,
          .inventory = &inventory(),
          .description = description_.get(),
          .cluster_id = state_directory_->cluster_id(),
          .node_id = state_directory_->node_id(),
          .agent_version = AgentVersion()};
}

absl::Status RunningAgent::OpenState() {
  absl::StatusOr<StateDirectory> state =
      StateDirectory::Open(configuration().values.state_directory());
  if (!state.ok()) return state.status();
  state_directory_.emplace(*std::move(state));
  state_.directory = &*state_directory_;
  auto description = Description::Open(state_directory_->path());
  if (!description.ok()) return description.status();
  description_ = *std::move(description);
  Outbox::Options options;
  options.path = configuration().OutboxFile();
  options.cluster_id = state_directory_->cluster_id();
  options.clock = options_.clock;
  options.frame_length =
      ToAbsl(configuration().values.schedule().consumption_time_frame());
  options.on_damage = [](const std::string& damage) { LogError(damage); };
  auto outbox = Outbox::Open(std::move(options));
  if (!outbox.ok()) return outbox.status();
  outbox_ = *std::move(outbox);
  return absl::OkStatus();
}

absl::Status RunningAgent::Open() {
  absl::Status status = OpenState();
  if (!status.ok()) return status;
  if (inventory().environments_size() > 0) {
    outbox_->SetEnvironments(AllEnvironments(description_->environments(),
                                             EnvironmentIds(inventory())),
                             [](const absl::Status& set) {
                               if (set.ok()) return;
                               LogError(
                                   "the environments could not be kept",
                                   {{"detail", std::string(set.message())}});
                             });
  }
  auto exchanges =
      Exchanges::Create({.values = &configuration().values,
                         .clock = options_.clock,
                         .timers = &timers_,
                         .executor = &executor_,
                         .state = &state_,
                         .outbox = outbox_.get(),
                         .board = &board_,
                         .health = Sources(),
                         .license_key = options_.checked.files.license_key,
                         .root_pem = options_.checked.files.root_pem,
                         .proxy = options_.checked.files.proxy,
                         .agent_instance_id = instance_id_});
  if (!exchanges.ok()) return exchanges.status();
  exchanges_ = *std::move(exchanges);
  status = Listen();
  if (!status.ok()) return status;
  // What ended while the agent did not run.
  executor_.TryRun([this] { OnFrameEnd(); });
  ScheduleInventory();
  exchanges_->Start();
  return absl::OkStatus();
}

absl::Status RunningAgent::Listen() {
  const config::AgentConfig& values = configuration().values;
  if (!FileExists(values.socket_directory())) {
    // Whoever may use a socket must be able to enter the directory; the
    // sockets themselves say who may.
    std::error_code error;
    std::filesystem::create_directories(values.socket_directory(), error);
    if (error) {
      return absl::FailedPreconditionError(absl::StrCat(
          values.socket_directory(), " (socket_directory) cannot be made: ",
          error.message(), "; make it, or name another one"));
    }
  }
  LocalDeps deps{.outbox = outbox_.get(),
                 .description = description_.get(),
                 .executor = &executor_,
                 .clock = options_.clock,
                 .other_environments = EnvironmentIds(inventory()),
                 .status = [this] { return Status(); },
                 .on_described = [this] { exchanges_->CheckVersion(); }};
  std::optional<gid_t> group;
  if (!values.product_group().empty()) {
    const absl::StatusOr<gid_t> id = GroupId(values.product_group());
    if (!id.ok()) return id.status();
    group = *id;
  }
  auto admin = LocalServer::Start({.socket = LocalSocket::kAdmin,
                                   .path = configuration().AdminSocket(),
                                   .group = {},
                                   .deps = deps});
  if (!admin.ok()) return admin.status();
  admin_server_ = *std::move(admin);
  auto product = LocalServer::Start({.socket = LocalSocket::kProduct,
                                     .path = configuration().AgentSocket(),
                                     .group = group,
                                     .deps = deps});
  if (!product.ok()) return product.status();
  product_server_ = *std::move(product);
  return absl::OkStatus();
}

v1::GetStatusResponse RunningAgent::Status() {
  v1::GetStatusResponse status;
  board_.Fill(status);
  status.set_cluster_id(state_directory_->cluster_id());
  status.set_node_id(state_directory_->node_id());
  status.set_agent_version(AgentVersion());
  const absl::StatusOr<std::string> version = ProductVersion(Sources());
  if (version.ok()) status.set_product_version(*version);
  status.set_agent_instance_id(instance_id_);
  const auto proxy = options_.checked.files.proxy.ProxyFor(
      configuration().values.service().cluster());
  if (proxy.has_value()) status.set_proxy(HostPort(proxy->host, proxy->port));
  *status.mutable_started_at() = mc::ToProto(started_at_);
  absl::MutexLock lock(&state_.mutex);
  const auto chain = state_directory_->LoadCertificateChain();
  if (chain.ok() && chain->has_value()) {
    const auto certificate = ParseCertificatePem(**chain);
    if (certificate.ok()) {
      *status.mutable_certificate_not_after() =
          mc::ToProto(certificate->not_after);
    }
  }
  return status;
}

void RunningAgent::ScheduleFrames() {
  const absl::Duration length =
      ToAbsl(configuration().values.schedule().consumption_time_frame());
  const absl::Time now = options_.clock->Now();
  const absl::Time at =
      FrameOf(now, length).end + std::min(kFrameGrace, length / 10);
  board_.Next(Exchange::kConsumption, at);
  timers_.Schedule(at, [this] {
    if (!executor_.TryRun([this] { OnFrameEnd(); })) ScheduleFrames();
  });
}

void RunningAgent::OnFrameEnd() {
  RecordInventory();
  const absl::StatusOr<CloseResult> closed = outbox_->CloseFrames();
  if (!closed.ok()) {
    board_.Failed(Exchange::kConsumption, closed.status());
    LogError("time frames could not be closed; it is tried again",
             {{"detail", std::string(closed.status().message())}});
  } else if (closed->reports > 0) {
    exchanges_->WakeReports();
  }
  ScheduleFrames();
}

void RunningAgent::ScheduleInventory() {
  if (inventory().environments_size() == 0) return;
  timers_.ScheduleAfter(kInventoryTick, [this] {
    executor_.TryRun([this] { RecordInventory(); });
    ScheduleInventory();
  });
}

void RunningAgent::RecordInventory() {
  if (inventory().environments_size() == 0) return;
  absl::MutexLock lock(&inventory_mutex_);
  const TimeFrame interval = monitored_.Tick(options_.clock->Now());
  std::vector<v1::UsageRecord> records = HostRecords(inventory(), interval);
  constexpr size_t kBatch = 1000;
  absl::Status status;
  for (size_t i = 0; i < records.size() && status.ok(); i += kBatch) {
    const size_t end = std::min(records.size(), i + kBatch);
    absl::Notification recorded;
    outbox_->RecordUsage({records.begin() + i, records.begin() + end},
                         [&](const absl::StatusOr<RecordUsageResult>& result) {
                           status = result.status();
                           recorded.Notify();
                         });
    recorded.WaitForNotification();
  }
  if (status.ok()) {
    monitored_.Confirm(interval);
  } else {
    LogError("the inventory's hosts could not be recorded; it is tried again",
             {{"detail", std::string(status.message())}});
  }
}

void RunningAgent::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (product_server_ != nullptr) product_server_->Stop(kStopGrace);
  if (admin_server_ != nullptr) admin_server_->Stop(kStopGrace);
  if (outbox_ != nullptr) RecordInventory();
  if (exchanges_ != nullptr) exchanges_->Stop(kStopGrace);
  timers_.Stop();
  executor_.Shutdown();
  outbox_ = nullptr;
}

}  // namespace

const char* AgentVersion() { return MC_VERSION; }

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(Options options) {
  auto agent = std::make_unique<RunningAgent>(std::move(options));
  const absl::Status status = agent->Open();
  if (!status.ok()) return status;
  return agent;
}

}  // namespace mc::agent

#include "cluster-agent/agent.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/collect/kernel_files.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/domain/description/description.h"
#include "cluster-agent/domain/events/clock_watch.h"
#include "cluster-agent/domain/events/connection_watch.h"
#include "cluster-agent/domain/events/event_log.h"
#include "cluster-agent/domain/inventory/inventory.h"
#include "cluster-agent/domain/license/license_keeper.h"
#include "cluster-agent/domain/mastership/other_master.h"
#include "cluster-agent/domain/site/site_view.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/exchange/exchanges.h"
#include "cluster-agent/local/license_watch.h"
#include "cluster-agent/local/local_sockets.h"
#include "cluster-agent/outbox/outbox.h"
#include "cluster-agent/site/site.h"
#include "cluster-agent/state/state_directory.h"
#include "common/crypto/certificate.h"
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
// The pause after frames could not be closed, for instance on a full disk.
constexpr absl::Duration kCloseAgain = absl::Seconds(20);
constexpr char kBootIdFile[] = "/proc/sys/kernel/random/boot_id";
// How much monitored time a crash can cost at most.
constexpr absl::Duration kInventoryTick = absl::Minutes(1);

// Three turns of two agents that supersede each other.
absl::Duration OtherMasterWindow(const config::AgentConfig& values) {
  const config::Schedule& schedule = values.schedule();
  return 3 * std::max({ToAbsl(schedule.heartbeat()),
                       ToAbsl(schedule.heartbeat_without_remote_access()),
                       ToAbsl(schedule.backoff_max())});
}

class RunningAgent : public Agent {
 public:
  explicit RunningAgent(Options options)
      : options_(std::move(options)),
        started_at_(options_.clock->Now()),
        board_(options_.clock),
        other_master_(options_.clock,
                      OtherMasterWindow(configuration().values)),
        events_({.clock = options_.clock,
                 .record =
                     [this](v1::ClusterEvent event, EventLog::Recorded done) {
                       RecordEvent(std::move(event), std::move(done));
                     },
                 .wake =
                     [this] {
                       if (exchanges_ != nullptr) exchanges_->WakeReports();
                     }}),
        clock_watch_(ToAbsl(configuration().values.outbox().clock_tolerance()),
                     &events_),
        executor_(kThreads, kMaxQueued),
        exchange_executor_(kThreads, kMaxQueued),
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
  void OpenLicense();
  // Where the configuration has a site of several nodes.
  absl::Status OpenSite();
  absl::Status Listen();
  v1::GetStatusResponse Status();
  v1::NodeEntry OwnNode();
  std::vector<KnownNode> OtherNodes() const;
  std::optional<absl::Time> CertificateEnd();

  void RecordEvent(v1::ClusterEvent event, EventLog::Recorded done);
  // Begins where the last run ended.
  void WatchConnection();
  void RaiseNodeStarted();

  void ScheduleFrames();
  void ScheduleFrames(absl::Duration pause);
  void OnFrameEnd();
  void ScheduleInventory();
  // Records the inventory's hosts as monitored until now. Waits for the disk.
  void RecordInventory() ABSL_LOCKS_EXCLUDED(inventory_mutex_);

  const Options options_;
  const absl::Time started_at_;
  StatusBoard board_;
  OtherMaster other_master_;
  EventLog events_;
  ClockWatch clock_watch_;
  std::optional<StateDirectory> state_directory_;
  SharedState state_;
  std::unique_ptr<Description> description_;
  std::unique_ptr<LicenseKeeper> license_;
  std::unique_ptr<LicenseWatch> license_watch_;
  std::optional<ConnectionWatch> connection_watch_;
  // Uses the outbox, whose callbacks end in it: it goes after the outbox.
  std::unique_ptr<Exchanges> exchanges_;
  std::unique_ptr<Outbox> outbox_;
  // The same for the events: its writer may raise some while it ends.
  Outbox* event_outbox_ = nullptr;
  Executor executor_;
  // Whatever others ask for, over the sockets or within the site, it cannot
  // fill this one: the end of an exchange that finds no place is never heard.
  Executor exchange_executor_;
  TimerQueue timers_;
  // Null: the site has one node.
  std::unique_ptr<Site> site_;
  absl::Mutex inventory_mutex_;
  MonitoredTime monitored_ ABSL_GUARDED_BY(inventory_mutex_);
  std::unique_ptr<LocalSockets> sockets_;
  bool stopped_ = false;
};

HealthSources RunningAgent::Sources() const {
  return {.collect = {configuration().values.host_root()},
          .values = &configuration().values,
          .inventory = &inventory(),
          .description = description_.get(),
          .cluster_id = state_directory_->cluster_id(),
          .node_id = state_directory_->node_id(),
          .agent_version = AgentVersion(),
          .other_nodes = [this] { return OtherNodes(); }};
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
  const config::Outbox& kept = configuration().values.outbox();
  options.keep_acknowledged = ToAbsl(kept.keep_acknowledged());
  options.reserved_bytes = kept.reserved_bytes();
  options.send_events =
      EffectivePrivacy(configuration().values).cluster_events() !=
      v1::PERMISSION_DENIED;
  options.max_events = configuration().values.outbox().max_events();
  options.on_damage = [this](const std::string& damage) {
    LogError(damage);
    // Without the path, which does not leave the site.
    events_.RaiseTrouble("a row is damaged on disk and was set aside", 1);
  };
  options.on_events_dropped = [this](int64_t reports) {
    events_.Dropped(reports);
  };
  options.on_disk_full = [this](bool full) { events_.DiskFull(full); };
  const bool registered = FileExists(
      absl::StrCat(state_directory_->path(), "/", state_files::kRegistration));
  if (registered && !FileExists(options.path)) {
    LogWarning(
        "there is no usage database, though this cluster is registered: a new "
        "one is made. What only the old one held is not reported; restore it "
        "from a backup if it was not moved away on purpose",
        {{"path", options.path}});
  }
  auto outbox = Outbox::Open(std::move(options));
  if (!outbox.ok()) return outbox.status();
  outbox_ = *std::move(outbox);
  event_outbox_ = outbox_.get();
  return absl::OkStatus();
}

void RunningAgent::RecordEvent(v1::ClusterEvent event,
                               EventLog::Recorded done) {
  event_outbox_->RecordEvents(
      {std::move(event)},
      [done = std::move(done)](const absl::StatusOr<RecordEventsResult>& kept) {
        done(kept.status());
      });
}

void RunningAgent::WatchConnection() {
  ConnectionWatch::Options options;
  options.clock = options_.clock;
  options.timers = &timers_;
  options.events = &events_;
  auto last =
      outbox_->reader().LastEvent({v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST,
                                   v1::CLUSTER_EVENT_TYPE_CONNECTION_RESTORED});
  if (last.ok()) options.last = *std::move(last);
  connection_watch_.emplace(std::move(options));
}

void RunningAgent::RaiseNodeStarted() {
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_NODE_STARTED);
  event.set_node_id(state_directory_->node_id());
  events_.Raise(std::move(event));
}

absl::Status RunningAgent::OpenSite() {
  const config::AgentConfig& values = configuration().values;
  if (!values.site().has_listen()) return absl::OkStatus();
  Site::Options options;
  options.values = &values.site();
  options.state_directory = values.state_directory();
  options.socket_directory = values.socket_directory();
  options.cluster_id = state_directory_->cluster_id();
  options.master_node_id = state_directory_->node_id();
  options.events = &events_;
  options.master_instance_id = options_.instance_id;
  options.clock = options_.clock;
  options.executor = &executor_;
  options.timers = &timers_;
  options.on_other_master = [this](const std::string& instance_id) {
    other_master_.SeenByNode(instance_id);
  };
  const JoinTokenSource token{options_.join_token,
                              values.site().join_token_file()};
  if (!token.empty()) options.standing_token = [token] { return token.Read(); };
  auto site = Site::Open(std::move(options));
  if (!site.ok()) return site.status();
  site_ = *std::move(site);
  return absl::OkStatus();
}

void RunningAgent::OpenLicense() {
  // A container has its host's.
  absl::StatusOr<std::string> boot_id = ReadKernelFile({}, kBootIdFile);
  if (!boot_id.ok()) {
    LogWarning(
        "the machine's boot has no name: the time of an outage counts "
        "by the wall clock when the agent starts again",
        {{"detail", std::string(boot_id.status().message())}});
    boot_id = "";
  }
  absl::StripAsciiWhitespace(&*boot_id);
  license_ = std::make_unique<LicenseKeeper>(
      LicenseKeeper::Options{.clock = options_.clock,
                             .timers = &timers_,
                             .executor = &executor_,
                             .state = &state_,
                             .events = &events_,
                             .boot_id = *boot_id});
  license_watch_ = std::make_unique<LicenseWatch>(license_.get());
}

std::vector<KnownNode> RunningAgent::OtherNodes() const {
  return site_ == nullptr ? std::vector<KnownNode>()
                          : site_->registry()->Nodes();
}

absl::Status RunningAgent::Open() {
  absl::Status status = OpenState();
  if (status.ok()) status = OpenSite();
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
  WatchConnection();
  OpenLicense();
  auto exchanges = Exchanges::Create(
      {.values = &configuration().values,
       .clock = options_.clock,
       .timers = &timers_,
       .executor = &exchange_executor_,
       .state = &state_,
       .outbox = outbox_.get(),
       .board = &board_,
       .other_master = &other_master_,
       .license = license_.get(),
       .events = &events_,
       .connection_watch = &*connection_watch_,
       .clock_watch = &clock_watch_,
       .health = Sources(),
       .license_key = options_.checked.files.license_key,
       .enrollment_token = {options_.enrollment_token,
                            configuration().values.enrollment_token_file()},
       .root_pem = options_.checked.files.root_pem,
       .proxy = options_.checked.files.proxy,
       .agent_instance_id = options_.instance_id});
  if (!exchanges.ok()) return exchanges.status();
  exchanges_ = *std::move(exchanges);
  status = Listen();
  if (status.ok() && site_ != nullptr) status = site_->Listen();
  if (!status.ok()) return status;
  // What ended while the agent did not run.
  executor_.TryRun([this] { OnFrameEnd(); });
  ScheduleInventory();
  RaiseNodeStarted();
  exchanges_->Start();
  return absl::OkStatus();
}

absl::Status RunningAgent::Listen() {
  LocalDeps deps{.outbox = outbox_.get(),
                 .description = description_.get(),
                 .executor = &executor_,
                 .clock = options_.clock,
                 .other_environments = EnvironmentIds(inventory()),
                 .status = [this] { return Status(); },
                 .on_described = [this] { exchanges_->CheckVersion(); },
                 .on_events = [this] { events_.Kept(); },
                 .nodes = site_ == nullptr ? nullptr : site_->registry(),
                 .own_node = [this] { return OwnNode(); },
                 .license = license_watch_.get()};
  auto sockets = LocalSockets::Open(configuration(), deps);
  if (!sockets.ok()) return sockets.status();
  sockets_ = *std::move(sockets);
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
  status.set_agent_instance_id(options_.instance_id);
  status.set_mastership_state(v1::MASTERSHIP_STATE_MASTER);
  status.set_other_master(other_master_.Text());
  const auto proxy = options_.checked.files.proxy.ProxyFor(
      configuration().values.service().cluster());
  if (proxy.has_value()) status.set_proxy(HostPort(proxy->host, proxy->port));
  *status.mutable_started_at() = mc::ToProto(started_at_);
  CountNodes(OtherNodes(), status);
  LicenseState license = license_->Get();
  if (license.license.has_value()) {
    *status.mutable_license() = *std::move(license.license);
    *status.mutable_license_checked_at() = mc::ToProto(*license.verified_at);
  }
  *status.mutable_license_answer() = std::move(license.answer);
  const std::optional<absl::Time> end = CertificateEnd();
  if (end.has_value()) {
    *status.mutable_certificate_not_after() = mc::ToProto(*end);
  }
  return status;
}

v1::NodeEntry RunningAgent::OwnNode() {
  v1::NodeEntry entry;
  entry.set_node_id(state_directory_->node_id());
  entry.set_state(v1::NODE_STATE_LIVE);
  entry.set_master(true);
  entry.set_agent_version(AgentVersion());
  entry.set_active_gates(static_cast<int>(KnownActiveGates(Sources()).size()));
  const std::optional<absl::Time> end = CertificateEnd();
  if (end.has_value()) {
    *entry.mutable_certificate_not_after() = mc::ToProto(*end);
  }
  return entry;
}

std::optional<absl::Time> RunningAgent::CertificateEnd() {
  absl::MutexLock lock(&state_.mutex);
  const auto chain = state_directory_->LoadCertificateChain();
  if (!chain.ok() || !chain->has_value()) return std::nullopt;
  const auto certificate = ParseCertificatePem(**chain);
  if (!certificate.ok()) return std::nullopt;
  return certificate->not_after;
}

void RunningAgent::ScheduleFrames() {
  const absl::Duration length =
      ToAbsl(configuration().values.schedule().consumption_time_frame());
  const absl::Time now = outbox_->BillingNow();
  ScheduleFrames(FrameOf(now, length).end + std::min(kFrameGrace, length / 10) -
                 now);
}

void RunningAgent::ScheduleFrames(absl::Duration pause) {
  board_.Next(Exchange::kConsumption, options_.clock->Now() + pause);
  timers_.ScheduleAfter(pause, [this] {
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
    return ScheduleFrames(kCloseAgain);
  }
  if (closed->reports > 0) exchanges_->WakeReports();
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
  const TimeFrame interval = monitored_.Tick(outbox_->BillingNow());
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
  if (license_watch_ != nullptr) license_watch_->End();
  if (sockets_ != nullptr) sockets_->Stop(kStopGrace);
  if (site_ != nullptr) site_->Stop(kStopGrace);
  if (outbox_ != nullptr) RecordInventory();
  if (exchanges_ != nullptr) exchanges_->Stop(kStopGrace);
  timers_.Stop();
  exchange_executor_.Shutdown();
  executor_.Shutdown();
  if (license_ != nullptr) license_->Note();
  // From here on only the outbox's own end could raise something.
  events_.Stop();
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

#include "mc-service/server.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/executor/executor.h"
#include "common/files/files.h"
#include "common/lifecycle/lifecycle.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/metrics/metrics_server.h"
#include "common/retry/rate_limit.h"
#include "common/time/proto_time.h"
#include "common/time/timer_queue.h"
#include "common/tls/credentials.h"
#include "common/tls/guard_reads.h"
#include "mc-service/api/call.h"
#include "mc-service/api/cluster_calls.h"
#include "mc-service/api/cluster_service.h"
#include "mc-service/api/enrollment_service.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/api/stream_registry.h"
#include "mc-service/cli/document_keys.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/exchanges/exchange_log.h"
#include "mc-service/domain/findings/gap_watch.h"
#include "mc-service/domain/findings/gaps.h"
#include "mc-service/domain/ledger/ledger.h"
#include "mc-service/domain/license/license_desk.h"
#include "mc-service/domain/pacing/admission.h"
#include "mc-service/domain/pacing/retry_slots.h"
#include "mc-service/domain/presence/presence.h"
#include "mc-service/domain/reports/report_desk.h"
#include "mc-service/domain/retention/retention.h"
#include "mc-service/domain/updates/release.h"
#include "mc-service/domain/updates/updates.h"
#include "mc-service/edge/call_limit.h"
#include "mc-service/edge/guard.h"
#include "mc-service/edge/listener.h"
#include "mc-service/edge/service_metrics.h"
#include "mc-service/edge/store_metrics.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service {
namespace {

// Those that find the service full come again spread like this.
constexpr double kRetriesPerSecond = 500;

// Between two looks at gaps and at streams that are not read.
constexpr absl::Duration kWatchInterval = absl::Seconds(5);

// Absent stays absent. The configuration was checked: it is valid.
std::optional<absl::Duration> IntervalOf(
    bool present, const google::protobuf::Duration& interval) {
  if (!present) return std::nullopt;
  return *FromProto(interval);
}

// A beat is cheaper than a call, and a site sends one for each of its nodes.
constexpr int64_t kBeatsForACall = 10;

std::function<void()> CountRefused(Metrics* metrics) {
  prometheus::Counter& refused = metrics->AddCounter(
      "calls_rate_limited_total",
      "Calls that were refused because their cluster had made too many.");
  return [&refused] { refused.Increment(); };
}

constexpr absl::Duration kUpkeepInterval = absl::Hours(1);
// A service that has just started has its clusters to answer.
constexpr absl::Duration kFirstUpkeep = absl::Minutes(1);

// What lives as long as the service, in the order in which it is built: each
// part uses only parts above it.
struct Graph {
  struct Durable {
    std::unique_ptr<Store> store;
    DocumentSigner signer;
    CertificateAuthority cluster_ca;
    DocumentKeyHistory key_history;
  };

  Graph(const config::ServiceConfig& values, const Clock* clock,
        Metrics* metrics, Durable durable_parts)
      : durable(std::move(durable_parts)),
        rpc_metrics(metrics),
        executor(values.limits().worker_threads(),
                 values.limits().max_queued_calls()),
        overload_slots(kRetriesPerSecond, absl::Minutes(1)),
        backlog({.per_second = static_cast<double>(
                     values.limits().backlog_reports_per_second())}),
        exchanges({.store = store()}),
        presence(PresenceOptions(values, metrics)),
        clusters({.store = store(), .clock = clock}),
        operators({.store = store(), .clock = clock}),
        guard(
            {.trust_domain = values.trust_domain(),
             .find_cluster =
                 [this](std::string_view id) { return FindCluster(id); },
             .find_operator =
                 [this](std::string_view name) { return operators.Find(name); },
             .clock = clock}),
        call_limit({.calls_per_second = static_cast<double>(
                        values.limits().calls_per_second_per_cluster()),
                    .clock = clock,
                    .on_refused = CountRefused(metrics)}),
        calls({.executor = &executor,
               .guard = &guard,
               .limit = &call_limit,
               .metrics = &rpc_metrics,
               .exchanges = &exchanges,
               .clock = clock,
               .overload_slots = &overload_slots}),
        streams([this, clock](std::string_view cluster_id) {
          return presence.CloneSuspected(cluster_id, clock->Now());
        }),
        enrollment({.store = store(),
                    .directory = &clusters,
                    .authority = &durable.cluster_ca,
                    .signer = &durable.signer,
                    .clock = clock,
                    .trust_domain = values.trust_domain(),
                    .certificate_lifetime =
                        *FromProto(values.certificates().cluster_lifetime()),
                    .older_document_keys = durable.key_history.keys}),
        licenses(
            {.store = store(),
             .signer = &durable.signer,
             .clock = clock,
             .next_interval = IntervalOf(values.pacing().has_license_interval(),
                                         values.pacing().license_interval()),
             .key_successions = durable.key_history.successions}),
        updates(
            {.store = store(),
             .clock = clock,
             .next_interval = IntervalOf(values.pacing().has_updates_interval(),
                                         values.pacing().updates_interval())}),
        releases({.store = store(), .signer = &durable.signer, .clock = clock}),
        reports(ReportOptions(clock, metrics)),
        retention(RetentionOptions(values, clock, metrics)),
        gaps(GapOptions(clock, metrics)),
        enrollment_service({.runner = &calls, .desk = &enrollment}),
        cluster_service(ClusterOptions(values, clock)),
        fleet_service(FleetOptions(clock)) {}

  Store* store() const { return durable.store.get(); }

  // The cluster, if it may call.
  absl::StatusOr<Cluster> FindCluster(std::string_view id) {
    const absl::Status status = clusters.CheckRegistered(id);
    if (!status.ok()) return status;
    return clusters.Find(id);
  }

  absl::StatusOr<StreamCaller> CheckStream(const PeerIdentity& identity,
                                           std::string_view peer,
                                           std::string_view full_method) {
    const absl::StatusOr<Caller> caller =
        guard.Check(identity, peer, full_method);
    if (!caller.ok()) return caller.status();
    const absl::StatusOr<Cluster> cluster = clusters.Find(caller->id);
    if (!cluster.ok()) return cluster.status();
    return StreamCaller{caller->id, cluster->remote_ui_requested};
  }

  void ClusterChanged(std::string_view id) {
    clusters.Invalidate(id);
    const absl::Status status = clusters.CheckRegistered(id);
    if (absl::IsPermissionDenied(status)) streams.EndStreamsOf(id, status);
  }

  Presence::Options PresenceOptions(const config::ServiceConfig& values,
                                    Metrics* metrics) {
    prometheus::Counter& clones = metrics->AddCounter(
        "clones_suspected_total",
        "Occurrences of two agents that beat in turn for one cluster.");
    Presence::Options options;
    options.store = store();
    if (values.pacing().has_heartbeat_interval()) {
      options.clone_window =
          std::max(options.clone_window,
                   3 * *FromProto(values.pacing().heartbeat_interval()));
    }
    options.on_clone = [&clones](std::string_view cluster_id,
                                 std::string_view instance,
                                 std::string_view other) {
      clones.Increment();
      LogWarning(
          "two agents beat in turn for one cluster; ask the customer to "
          "stop the one whose state was copied",
          {{"cluster_id", cluster_id},
           {"agent_instance_id", instance},
           {"other_agent_instance_id", other}});
    };
    return options;
  }

  ReportDesk::Options ReportOptions(const Clock* clock, Metrics* metrics) {
    prometheus::Counter& conflicts = metrics->AddCounter(
        "report_conflicts_total",
        "Reports whose key came before with other content.");
    ReportDesk::Options options;
    options.store = store();
    options.signer = &durable.signer;
    options.clock = clock;
    options.backlog = &backlog;
    options.on_conflict = [&conflicts](const ReportKey&) {
      conflicts.Increment();
    };
    return options;
  }

  Retention::Options RetentionOptions(const config::ServiceConfig& values,
                                      const Clock* clock, Metrics* metrics) {
    prometheus::Counter& deleted = metrics->AddCounter(
        "retention_deleted_total",
        "Reports, events and findings that were deleted when their time was "
        "over.");
    Retention::Options options;
    options.store = store();
    options.clock = clock;
    const config::Retention& rules = values.retention();
    if (rules.has_consumption_reports()) {
      options.rules.consumption_reports =
          *FromProto(rules.consumption_reports());
    }
    options.rules.events = *FromProto(rules.events());
    options.rules.closed_findings = *FromProto(rules.closed_findings());
    options.on_deleted = [&deleted](Prunable, int64_t rows) {
      deleted.Increment(static_cast<double>(rows));
    };
    return options;
  }

  GapWatch::Options GapOptions(const Clock* clock, Metrics* metrics) {
    prometheus::Counter& gaps = metrics->AddCounter(
        "report_gaps_total",
        "Gaps in the sequences of consumption reports that did not fill soon.");
    GapWatch::Options options;
    options.store = store();
    options.clock = clock;
    options.on_gaps = [&gaps](int64_t count) {
      gaps.Increment(static_cast<double>(count));
    };
    return options;
  }

  ClusterService::Options ClusterOptions(const config::ServiceConfig& values,
                                         const Clock* clock) {
    ClusterService::Options options;
    options.calls = &calls;
    options.streams.check = std::bind_front(&Graph::CheckStream, this);
    options.streams.executor = &executor;
    options.streams.clock = clock;
    options.streams.registry = &streams;
    options.streams.metrics = &rpc_metrics;
    options.streams.exchanges = &exchanges;
    options.streams.limit = &call_limit;
    options.streams.overload_slots = &overload_slots;
    options.max_reports_per_cluster =
        static_cast<size_t>(values.limits().max_reports_per_cluster());
    options.reports = &reports;
    options.heartbeats.presence = &presence;
    options.heartbeats.max_per_tick =
        kBeatsForACall * absl::ToInt64Seconds(kWatchInterval) *
        values.limits().calls_per_second_per_cluster();
    options.heartbeats.interval =
        IntervalOf(values.pacing().has_heartbeat_interval(),
                   values.pacing().heartbeat_interval());
    options.check_license = std::bind_front(CheckLicense, std::cref(licenses));
    options.check_updates = std::bind_front(CheckUpdates, std::cref(updates));
    return options;
  }

  FleetService::Options FleetOptions(const Clock* clock) {
    FleetService::Options options;
    options.calls = &calls;
    options.store = store();
    options.clock = clock;
    options.releases = &releases;
    options.exchanges = &exchanges;
    options.streams = &streams;
    options.guard = &guard;
    options.executor = &executor;
    options.metrics = &rpc_metrics;
    options.cluster_changed = std::bind_front(&Graph::ClusterChanged, this);
    options.has_gap = HasGap;
    return options;
  }

  Durable durable;
  RpcMetrics rpc_metrics;
  Executor executor;
  RetrySlots overload_slots;
  Admission backlog;
  ExchangeLog exchanges;
  Presence presence;
  ClusterDirectory clusters;
  OperatorDirectory operators;
  Guard guard;
  CallLimit call_limit;
  CallRunner calls;
  StreamRegistry streams;
  EnrollmentDesk enrollment;
  LicenseDesk licenses;
  UpdateDesk updates;
  ReleaseDesk releases;
  ReportDesk reports;
  Retention retention;
  GapWatch gaps;
  EnrollmentService enrollment_service;
  ClusterService cluster_service;
  FleetService fleet_service;
};

class RunningServer : public Server {
 public:
  explicit RunningServer(Options options)
      : options_(std::move(options)), store_metrics_(&metrics_) {}
  ~RunningServer() override {
    Drain();
    listeners_.clear();
    StopGuardingReads();
  }

  absl::Status Open() {
    absl::Status status = BuildGraph();
    if (status.ok()) status = Listen();
    if (status.ok()) status = ListenForMetrics();
    if (status.ok()) status = WritePorts(ports_, state().PortsFile());
    if (!status.ok()) return status;
    timers_.emplace(options_.clock);
    ScheduleFlush();
    ScheduleUpkeep(kFirstUpkeep);
    ScheduleWatch();
    SetServing(true);
    return absl::OkStatus();
  }

  const Ports& ports() const override { return ports_; }

  void Drain() override {
    if (std::exchange(drained_, true)) return;
    SetServing(false);
    // Without the store the ports file is another process's.
    if (graph_ == nullptr) return;
    ::unlink(state().PortsFile().c_str());
    graph_->streams.Drain();
    const absl::Time deadline =
        options_.clock->Now() + *FromProto(values().drain_timeout());
    std::vector<std::thread> threads;
    for (const auto& listener : listeners_) {
      threads.emplace_back(
          [&listener, deadline] { listener->Shutdown(deadline); });
    }
    for (std::thread& thread : threads) thread.join();
    // No call is open any more: what is in memory now is all there is.
    if (timers_.has_value()) timers_->Stop();
    Flush();
    graph_->store()->Stop();
    graph_->executor.Shutdown();
  }

 private:
  const config::ServiceConfig& values() const {
    return options_.configuration.values;
  }
  StateLayout state() const { return options_.configuration.state(); }

  absl::Status BuildGraph() {
    absl::StatusOr<std::unique_ptr<Store>> store = OpenStore();
    if (!store.ok()) return store.status();
    // Before any report: what a version without a ledger has left.
    const absl::Status entered = EnterBacklog(**store, {});
    if (!entered.ok()) return entered;
    const absl::StatusOr<std::string> key_pem =
        ReadPrivateFile(state().DocumentKeyFile());
    if (!key_pem.ok()) return key_pem.status();
    absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*key_pem);
    if (!key.ok()) return key.status();
    absl::StatusOr<DocumentSigner> signer =
        DocumentSigner::Create(*std::move(key));
    if (!signer.ok()) return signer.status();
    absl::StatusOr<DocumentKeyHistory> history =
        ReadDocumentKeyHistory(state());
    if (!history.ok()) return history.status();
    const CertificateFiles files = state().ClusterCa();
    const absl::StatusOr<std::string> ca = ReadFile(files.certificate);
    if (!ca.ok()) return ca.status();
    const absl::StatusOr<std::string> ca_key = ReadPrivateFile(files.key);
    if (!ca_key.ok()) return ca_key.status();
    absl::StatusOr<CertificateAuthority> authority =
        CertificateAuthority::Load(*ca, *ca_key);
    if (!authority.ok()) return authority.status();
    graph_ = std::make_unique<Graph>(
        values(), options_.clock, &metrics_,
        Graph::Durable{*std::move(store), *std::move(signer),
                       *std::move(authority), *std::move(history)});
    AddMetrics();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Store>> OpenStore() {
    SqliteOptions options;
    options.path = state().StoreFile();
    options.clock = options_.clock;
    options.observer = [this](const sqlite::BatchStats& stats) {
      store_metrics_.Observe(stats);
    };
    return OpenSqliteStore(std::move(options));
  }

  void AddMetrics() {
    metrics_.AddGauge(
        "connected_clusters", "Clusters with an open heartbeat stream.",
        [this] { return graph_->streams.Count(StreamKind::kHeartbeats); });
    metrics_.AddGauge("executor_queue_length", "Calls that wait for a thread.",
                      [this] { return graph_->executor.queued(); });
    metrics_.AddGauge("executor_queue_limit", "Calls that may wait.")
        .Set(static_cast<double>(values().limits().max_queued_calls()));
    metrics_.AddGauge("open_descriptors", "Descriptors that are open.",
                      [] { return OpenDescriptors(); });
    metrics_.AddGauge("descriptor_limit", "Descriptors that may be open.",
                      [] { return ::sysconf(_SC_OPEN_MAX); });
    AddServiceFigures({.store_file = state().StoreFile(),
                       .started_at = options_.clock->Now(),
                       .certificates = CertificateEnds()},
                      &metrics_);
  }

  // The configuration was checked: each can be read.
  std::vector<std::pair<std::string, absl::Time>> CertificateEnds() const {
    const config::Listeners& listeners = values().listeners();
    std::vector<std::pair<std::string, absl::Time>> ends;
    for (const auto& [name, file] : {
             std::pair("enrollment listener",
                       listeners.enrollment().certificate_file()),
             std::pair("cluster listener",
                       listeners.cluster().certificate_file()),
             std::pair("operator listener",
                       listeners.operator_().certificate_file()),
             std::pair("server CA", state().ServerCa().certificate),
             std::pair("cluster CA", state().ClusterCa().certificate),
             std::pair("operator CA", state().OperatorCa().certificate),
         }) {
      const absl::StatusOr<std::string> pem = ReadFile(file);
      if (!pem.ok()) continue;
      const absl::StatusOr<CertificateInfo> info = ParseCertificatePem(*pem);
      if (info.ok()) ends.emplace_back(name, info->not_after);
    }
    return ends;
  }

  // What an agent needs, and not much more: two streams for a call at most.
  void GuardFrames() {
    prometheus::Counter& ended = metrics_.AddCounter(
        "hostile_connections_total",
        "Connections that were ended for what their frames were.");
    const double calls = values().limits().calls_per_second_per_cluster();
    GuardOptions options;
    options.limits.streams_per_second = 2 * calls;
    options.limits.streams_at_once = 50 * calls;
    options.limits.empties_per_second = 100 * calls;
    options.limits.empties_at_once = 1000 * calls;
    options.clock = options_.clock;
    // Whoever comes again and again does not fill the log.
    auto lines = std::make_shared<RateLimit>(
        RateLimit::Options{.burst = 10, .clock = options_.clock});
    options.on_ended = [&ended, lines](std::string_view why) {
      ended.Increment();
      if (lines->Take(why) > absl::ZeroDuration()) return;
      LogWarning("a connection was ended", {{"reason", std::string(why)}});
    };
    GuardReads(std::move(options));
  }

  absl::Status Listen() {
    GuardFrames();
    const config::Listeners& listeners = values().listeners();
    absl::Status status =
        Listen(Listener::kEnrollment, listeners.enrollment(), "",
               &graph_->enrollment_service,
               v1::EnrollmentService::service_full_name(), ports_.enrollment);
    status.Update(
        Listen(Listener::kCluster, listeners.cluster(),
               state().ClusterCa().certificate, &graph_->cluster_service,
               v1::ClusterService::service_full_name(), ports_.cluster));
    status.Update(
        Listen(Listener::kOperator, listeners.operator_(),
               state().OperatorCa().certificate, &graph_->fleet_service,
               v1::FleetService::service_full_name(), ports_.operator_));
    return status;
  }

  // Without a CA no client certificate is asked for.
  absl::Status Listen(Listener listener, const config::Listener& settings,
                      const std::string& client_ca_file, grpc::Service* service,
                      const char* service_name, int& port) {
    const auto chain = ReadFile(settings.certificate_file());
    if (!chain.ok()) return chain.status();
    const auto key = ReadPrivateFile(settings.key_file());
    if (!key.ok()) return key.status();
    ServerTls tls{*chain, *key, ""};
    if (!client_ca_file.empty()) {
      const auto client_ca = ReadFile(client_ca_file);
      if (!client_ca.ok()) return client_ca.status();
      tls.client_ca_pem = *client_ca;
    }
    auto credentials = MakeServerCredentials(tls, *options_.clock);
    if (!credentials.ok()) return credentials.status();
    ListenerServer::Options options;
    options.listener = listener;
    options.address = settings.address();
    options.credentials = *std::move(credentials);
    options.reflection = settings.reflection();
    options.clock = options_.clock;
    options.max_message_bytes = values().limits().max_message_bytes();
    options.services = {service};
    if (listener == Listener::kCluster) {
      options.admit = std::bind_front(&MayBegin, &graph_->call_limit);
    }
    options.service_names = {service_name};
    auto started = ListenerServer::Start(options);
    if (!started.ok()) return started.status();
    port = (*started)->port();
    listeners_.push_back(*std::move(started));
    return absl::OkStatus();
  }

  absl::Status ListenForMetrics() {
    absl::StatusOr<HostPort> address =
        ParseHostPort(values().listeners().metrics().address());
    if (!address.ok()) return address.status();
    if (address->host == "localhost") address->host = "127.0.0.1";
    auto server = MetricsServer::Start(
        address->host, address->port, &metrics_,
        [this] { return serving_ && store_metrics_.last_commit_succeeded(); });
    if (!server.ok()) return server.status();
    ports_.metrics = (*server)->port();
    metrics_server_ = *std::move(server);
    return absl::OkStatus();
  }

  void SetServing(bool serving) {
    serving_ = serving;
    for (const auto& listener : listeners_) listener->SetServing(serving);
  }

  void Flush() {
    graph_->presence.Flush(options_.clock->Now());
    graph_->exchanges.Flush();
  }

  void ScheduleFlush() {
    timers_->ScheduleAfter(*FromProto(values().write_behind_interval()),
                           [this] {
                             Flush();
                             ScheduleFlush();
                           });
  }

  // On the executor: it may take long, and flushes go on.
  void ScheduleUpkeep(absl::Duration delay) {
    timers_->ScheduleAfter(delay, [this] {
      const bool taken = graph_->executor.TryRun([this] {
        const absl::Status status = graph_->retention.Run();
        if (!status.ok()) {
          LogWarning("the store's upkeep failed; it goes on in an hour",
                     {{"detail", status.ToString()}});
        }
        ScheduleUpkeep(kUpkeepInterval);
      });
      if (!taken) ScheduleUpkeep(kUpkeepInterval);
    });
  }

  void ScheduleWatch() {
    timers_->ScheduleAfter(kWatchInterval, [this] {
      // Nothing is confirmed any more: calls had better go elsewhere.
      if (store_metrics_.failed() && serving_) SetServing(false);
      graph_->gaps.Sweep();
      graph_->streams.TickAll();
      ScheduleWatch();
    });
  }

  const Options options_;
  Ports ports_;
  std::atomic<bool> serving_{false};
  bool drained_ = false;
  Metrics metrics_;
  StoreMetrics store_metrics_;
  std::unique_ptr<Graph> graph_;
  std::vector<std::unique_ptr<ListenerServer>> listeners_;
  std::optional<TimerQueue> timers_;
  std::unique_ptr<MetricsServer> metrics_server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options) {
  auto server = std::make_unique<RunningServer>(std::move(options));
  const absl::Status status = server->Open();
  if (!status.ok()) return status;
  return server;
}

}  // namespace mc::service

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
#include "absl/strings/str_join.h"
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
#include "common/time/proto_time.h"
#include "common/time/timer_queue.h"
#include "common/tls/guard_reads.h"
#include "common/tls/identity_cache.h"
#include "mc-service/api/call.h"
#include "mc-service/api/cluster_calls.h"
#include "mc-service/api/cluster_service.h"
#include "mc-service/api/enrollment_service.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/api/stream_registry.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/document_keys.h"
#include "mc-service/domain/access/operator_desk.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
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
#include "mc-service/edge/edge_metrics.h"
#include "mc-service/edge/edge_settings.h"
#include "mc-service/edge/frame_limits.h"
#include "mc-service/edge/guard.h"
#include "mc-service/edge/listener.h"
#include "mc-service/edge/listener_tls.h"
#include "mc-service/edge/refused_identities.h"
#include "mc-service/edge/service_metrics.h"
#include "mc-service/edge/store_metrics.h"
#include "mc-service/enroll/client_address.h"
#include "mc-service/enroll/enrollment_limits.h"
#include "mc-service/enroll/front_link.h"
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

// Between two looks at the files of certificates and authorities.
constexpr absl::Duration kTlsInterval = absl::Seconds(2);

// What lives as long as the service, in the order in which it is built: each
// part uses only parts above it.
struct Graph {
  struct Durable {
    std::unique_ptr<Store> store;
    DocumentSigner signer;
    CertificateAuthority cluster_ca;
    CertificateAuthority operator_ca;
    DocumentKeyHistory key_history;
  };

  Graph(const config::ServiceConfig& values, const Clock* clock,
        Metrics* metrics, const ListenerTable* listeners, Durable durable_parts)
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
                 [this](std::string_view id) {
                   return clusters.Registered(id);
                 },
             .admit_key =
                 [this](const PeerIdentity& identity) {
                   return renewals.Admit({identity.id, identity.spki_sha256,
                                          identity.serial_hex,
                                          identity.not_after});
                 },
             .find_operator =
                 [this](std::string_view name) { return operators.Find(name); },
             .clock = clock,
             .identities = &identities,
             .real_peer =
                 std::bind_front(&ListenerTable::RealPeer, listeners)}),
        call_limit({.calls_per_second = static_cast<double>(
                        values.limits().calls_per_second_per_cluster()),
                    .clock = clock,
                    .identities = &identities,
                    .on_refused = CountRefused(metrics),
                    .on_offender =
                        [listeners](std::string_view, std::string_view peer) {
                          listeners->Cut(Listener::kCluster, peer,
                                         "it calls far too often");
                        }}),
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
        renewals(RenewalOptions(values, clock, metrics)),
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
        operator_desk({.store = store(),
                       .directory = &operators,
                       .authority = &durable.operator_ca,
                       .clock = clock,
                       .trust_domain = values.trust_domain(),
                       .certificate_lifetime = *FromProto(
                           values.certificates().operator_lifetime())}),
        reports(ReportOptions(clock, metrics)),
        retention(RetentionOptions(values, clock, metrics)),
        gaps(GapOptions(clock, metrics)),
        enrollment_limits(
            {.per_minute_per_address =
                 values.limits().enrollments_per_minute_per_address(),
             .per_minute_per_license =
                 values.limits().enrollments_per_minute_per_license(),
             .clock = clock,
             .metrics = metrics}),
        enrollment_calls(EnrollmentCalls(clock, values.has_enrollment_front())),
        enrollment_service({.runner = &enrollment_calls,
                            .desk = &enrollment,
                            .renewals = &renewals}),
        cluster_service(ClusterOptions(values, clock)),
        fleet_service(FleetOptions(clock)) {}

  Store* store() const { return durable.store.get(); }

  absl::StatusOr<StreamCaller> CheckStream(const PeerIdentity& identity,
                                           std::string_view peer,
                                           std::string_view full_method) {
    const absl::StatusOr<Caller> caller =
        guard.Check(identity, peer, full_method);
    if (!caller.ok()) return caller.status();
    const auto cluster = clusters.Registered(caller->id);
    if (!cluster.ok()) return cluster.status();
    return StreamCaller{.cluster_id = caller->id,
                        .remote_ui_requested = (*cluster)->remote_ui_requested,
                        .renewing_instance_id = (*cluster)->adopted_instance_id,
                        .renewal_wanted = (*cluster)->password_digest.empty()};
  }

  void ClusterChanged(std::string_view id) {
    clusters.Invalidate(id);
    const absl::Status status = clusters.CheckRegistered(id);
    refused.Update(id, status);
    if (absl::IsPermissionDenied(status)) streams.EndStreamsOf(id, status);
  }

  RenewalDesk::Options RenewalOptions(const config::ServiceConfig& values,
                                      const Clock* clock, Metrics* metrics) {
    prometheus::Counter& refused = metrics->AddCounter(
        "recoveries_refused_total",
        "Attempts to recover a certificate with wrong credentials.");
    RenewalDesk::Options options;
    options.store = store();
    options.directory = &clusters;
    options.clock = clock;
    options.rules = {
        .authority = &durable.cluster_ca,
        .trust_domain = values.trust_domain(),
        .lifetime = *FromProto(values.certificates().cluster_lifetime())};
    options.recoveries_per_hour = values.limits().recoveries_per_hour();
    options.on_clone = [this](std::string_view cluster_id,
                              const std::vector<std::string>& agents) {
      clones->Increment();
      LogWarning(
          "two keys follow one identity; a copy of the cluster's state is in "
          "use, or was restored: ask the customer",
          {{"cluster_id", cluster_id},
           {"agent_instance_ids", absl::StrJoin(agents, " ")}});
    };
    options.on_adopted = [this](std::string_view cluster_id) {
      presence.EndCloneSuspicion(cluster_id);
      LogInfo("the adopted agent has its own key; its copies are out",
              {{"cluster_id", cluster_id}});
    };
    options.on_refused = [&refused] { refused.Increment(); };
    return options;
  }

  Presence::Options PresenceOptions(const config::ServiceConfig& values,
                                    Metrics* metrics) {
    clones = &metrics->AddCounter(
        "clones_suspected_total",
        "Occurrences of two agents that beat in turn for one cluster, or of "
        "two keys that follow one identity.");
    Presence::Options options;
    options.store = store();
    if (values.pacing().has_heartbeat_interval()) {
      options.clone_window =
          std::max(options.clone_window,
                   3 * *FromProto(values.pacing().heartbeat_interval()));
    }
    options.on_clone = [this](std::string_view cluster_id,
                              std::string_view instance,
                              std::string_view other) {
      clones->Increment();
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
    options.streams.slow_reader_timeout =
        *FromProto(values.limits().slow_reader_timeout());
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
    options.renew_certificate =
        std::bind_front(RenewCertificate, std::ref(renewals));
    return options;
  }

  // Behind a front the front has limited addresses; licenses are limited here,
  // where all calls come together.
  CallRunner::Options EnrollmentCalls(const Clock* clock, bool front) {
    CallRunner::Options options;
    options.executor = &executor;
    options.guard = &guard;
    options.metrics = &rpc_metrics;
    options.exchanges = &exchanges;
    options.clock = clock;
    options.overload_slots = &overload_slots;
    const auto address = [front](const grpc::CallbackServerContext& context,
                                 const Caller& caller) {
      return front ? AddressFromFront(context) : AddressOf(caller.peer);
    };
    options.admit = [=, this](const grpc::CallbackServerContext& context,
                              const Caller& caller,
                              const google::protobuf::Message* request) {
      const std::string client = address(context, caller);
      absl::Status status =
          front ? absl::OkStatus() : enrollment_limits.TakeAddress(client);
      if (status.ok()) status = enrollment_limits.TakeLicense(client, request);
      return status;
    };
    options.ended = [=, this](const grpc::CallbackServerContext& context,
                              const Caller& caller,
                              std::string_view full_method,
                              const absl::Status& status) {
      enrollment_limits.Ended(full_method, address(context, caller), status);
    };
    return options;
  }

  FleetService::Options FleetOptions(const Clock* clock) {
    FleetService::Options options;
    options.calls = &calls;
    options.store = store();
    options.clock = clock;
    options.releases = &releases;
    options.operators = &operator_desk;
    options.exchanges = &exchanges;
    options.streams = &streams;
    options.guard = &guard;
    options.executor = &executor;
    options.metrics = &rpc_metrics;
    options.cluster_changed = std::bind_front(&Graph::ClusterChanged, this);
    options.suspicion_ended =
        std::bind_front(&Presence::EndCloneSuspicion, &presence);
    options.has_gap = HasGap;
    return options;
  }

  Durable durable;
  RpcMetrics rpc_metrics;
  Executor executor;
  RetrySlots overload_slots;
  Admission backlog;
  ExchangeLog exchanges;
  // Made with the presence.
  prometheus::Counter* clones = nullptr;
  Presence presence;
  ClusterDirectory clusters;
  OperatorDirectory operators;
  PeerIdentityCache identities;
  RefusedIdentities refused;
  Guard guard;
  CallLimit call_limit;
  CallRunner calls;
  StreamRegistry streams;
  EnrollmentDesk enrollment;
  RenewalDesk renewals;
  LicenseDesk licenses;
  UpdateDesk updates;
  ReleaseDesk releases;
  OperatorDesk operator_desk;
  ReportDesk reports;
  Retention retention;
  GapWatch gaps;
  EnrollmentLimits enrollment_limits;
  CallRunner enrollment_calls;
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
    ScheduleTls();
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
    if (front_link_ != nullptr) front_link_->Shutdown(deadline);
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
    absl::StatusOr<CertificateAuthority> cluster_ca =
        LoadAuthority(state(), AuthorityKind::kCluster);
    if (!cluster_ca.ok()) return cluster_ca.status();
    absl::StatusOr<CertificateAuthority> operator_ca =
        LoadAuthority(state(), AuthorityKind::kOperator);
    if (!operator_ca.ok()) return operator_ca.status();
    graph_ = std::make_unique<Graph>(
        values(), options_.clock, &metrics_, &listener_table_,
        Graph::Durable{*std::move(store), *std::move(signer),
                       *std::move(cluster_ca), *std::move(operator_ca),
                       *std::move(history)});
    AddMetrics();
    tls_.emplace(ListenerTls::Options{.state = state(),
                                      .trust_domain = values().trust_domain(),
                                      .identities = &graph_->identities,
                                      .revoked =
                                          [this](std::string_view id) {
                                            return graph_->refused.Contains(id);
                                          },
                                      .clock = options_.clock,
                                      .metrics = &metrics_});
    tls_->Follow(AuthorityKind::kCluster, &graph_->durable.cluster_ca);
    tls_->Follow(AuthorityKind::kOperator, &graph_->durable.operator_ca);
    return graph_->refused.Load(graph_->store());
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
    metrics_.AddGauge(
        "store_failed",
        "1 when nothing more is stored until the service is restarted.",
        [this] { return store_metrics_.failed() ? 1.0 : 0.0; });
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

  absl::Status Listen() {
    GuardFrames(values().limits().calls_per_second_per_cluster(),
                options_.clock, &metrics_);
    const config::Listeners& listeners = values().listeners();
    descriptors_ = DescriptorsForConnections();
    absl::Status status =
        values().has_enrollment_front()
            ? ListenForFront()
            : Listen(Listener::kEnrollment, listeners.enrollment(),
                     &graph_->enrollment_service,
                     v1::EnrollmentService::service_full_name(),
                     ports_.enrollment);
    status.Update(Listen(
        Listener::kCluster, listeners.cluster(), &graph_->cluster_service,
        v1::ClusterService::service_full_name(), ports_.cluster));
    status.Update(Listen(
        Listener::kOperator, listeners.operator_(), &graph_->fleet_service,
        v1::FleetService::service_full_name(), ports_.operator_));
    std::vector<EdgeFigures> figures;
    for (const auto& each : listeners_) {
      figures.push_back(
          {std::string(ListenerName(each->listener())),
           [listener = each.get()] { return listener->figures(); }});
    }
    if (status.ok()) AddEdgeFigures(std::move(figures), &metrics_);
    return status;
  }

  // Instead of the enrollment listener, which is the front's.
  absl::Status ListenForFront() {
    const config::EnrollmentFront& front = values().enrollment_front();
    auto link = FrontLink::Start(
        {.socket = front.socket(),
         .group = front.group(),
         .max_message_bytes = values().limits().max_message_bytes(),
         .service = &graph_->enrollment_service});
    if (!link.ok()) return link.status();
    front_link_ = *std::move(link);
    return absl::OkStatus();
  }

  absl::Status Listen(Listener listener, const config::Listener& settings,
                      grpc::Service* service, const char* service_name,
                      int& port) {
    auto credentials = tls_->Add(listener, settings);
    if (!credentials.ok()) return credentials.status();
    ListenerServer::Options options;
    options.listener = listener;
    options.address = settings.address();
    options.credentials = *std::move(credentials);
    options.reflection = settings.reflection();
    options.clock = options_.clock;
    options.max_message_bytes = values().limits().max_message_bytes();
    options.memory_quota_bytes = values().limits().memory_quota_bytes();
    options.limits = AcceptorLimits(values().limits(), listener, descriptors_);
    options.proxies = Proxies(settings);
    options.services = {service};
    if (listener == Listener::kCluster) {
      options.admit = std::bind_front(&MayBegin, &graph_->call_limit);
    }
    options.service_names = {service_name};
    auto started = ListenerServer::Start(options);
    if (!started.ok()) return started.status();
    port = (*started)->port();
    listener_table_.Add(started->get());
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

  void ScheduleTls() {
    timers_->ScheduleAfter(kTlsInterval, [this] {
      tls_->Poll();
      ScheduleTls();
    });
  }

  const Options options_;
  Ports ports_;
  std::atomic<bool> serving_{false};
  bool drained_ = false;
  Metrics metrics_;
  StoreMetrics store_metrics_;
  ListenerTable listener_table_;
  std::unique_ptr<Graph> graph_;
  std::optional<ListenerTls> tls_;
  // For connections.
  int64_t descriptors_ = 0;
  std::vector<std::unique_ptr<ListenerServer>> listeners_;
  std::unique_ptr<FrontLink> front_link_;
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

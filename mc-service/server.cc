#include "mc-service/server.h"

#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/metrics/metrics_server.h"
#include "common/time/proto_time.h"
#include "common/time/timer_queue.h"
#include "common/tls/guard_reads.h"
#include "mc-service/durable_parts.h"
#include "mc-service/edge/edge_metrics.h"
#include "mc-service/edge/edge_settings.h"
#include "mc-service/edge/frame_limits.h"
#include "mc-service/edge/listener.h"
#include "mc-service/edge/listener_tls.h"
#include "mc-service/edge/store_metrics.h"
#include "mc-service/enroll/front_link.h"
#include "mc-service/server_figures.h"
#include "mc-service/service_graph.h"

namespace mc::service {
namespace {

constexpr absl::Duration kUpkeepInterval = absl::Hours(1);
// A service that has just started has its clusters to answer.
constexpr absl::Duration kFirstUpkeep = absl::Minutes(1);

// Between two looks at the files of certificates and authorities.
constexpr absl::Duration kTlsInterval = absl::Seconds(2);

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
    SqliteOptions store;
    store.path = state().StoreFile();
    store.clock = options_.clock;
    store.observer = [this](const sqlite::BatchStats& stats) {
      store_metrics_.Observe(stats);
    };
    absl::StatusOr<DurableParts> durable =
        OpenDurableParts(state(), std::move(store));
    if (!durable.ok()) return durable.status();
    graph_ = std::make_unique<ServiceGraph>(
        ServiceGraph::Surroundings{.values = values(),
                                   .clock = options_.clock,
                                   .metrics = &metrics_,
                                   .listeners = &listener_table_},
        *std::move(durable));
    AddServerFigures(options_.configuration, options_.clock->Now(), *graph_,
                     store_metrics_, &metrics_);
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
    timers_->ScheduleAfter(ServiceGraph::kWatchInterval, [this] {
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
  std::unique_ptr<ServiceGraph> graph_;
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

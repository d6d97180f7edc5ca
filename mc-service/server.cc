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
#include "mc-service/durable_parts.h"
#include "mc-service/edge/listener_tls.h"
#include "mc-service/edge/listeners.h"
#include "mc-service/edge/store_metrics.h"
#include "mc-service/enroll/front_link.h"
#include "mc-service/server_figures.h"
#include "mc-service/service_graph.h"

namespace mc::service {
namespace {

constexpr absl::Duration kUpkeepInterval = absl::Hours(1);
// A service that has just started has its clusters to answer.
constexpr absl::Duration kFirstUpkeep = absl::Minutes(1);

class RunningServer : public Server {
 public:
  explicit RunningServer(Options options)
      : options_(std::move(options)), store_metrics_(&metrics_) {}
  ~RunningServer() override {
    Drain();
    // It reads the listeners' figures, and calls reach the graph until the
    // listeners have ended.
    metrics_server_ = nullptr;
    listeners_.End();
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
    std::thread link([this, deadline] {
      if (front_link_ != nullptr) front_link_->Shutdown(deadline);
    });
    listeners_.Shutdown(deadline);
    link.join();
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
                                   .listeners = &listeners_},
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
    const bool front = values().has_enrollment_front();
    std::vector<Listeners::Served> served = {
        {.listener = Listener::kCluster,
         .service = &graph_->cluster_service,
         .service_name = v1::ClusterService::service_full_name(),
         .admit = std::bind_front(&MayBegin, &graph_->call_limit)},
        {.listener = Listener::kOperator,
         .service = &graph_->fleet_service,
         .service_name = v1::FleetService::service_full_name()}};
    if (!front) {
      served.push_back(
          {.listener = Listener::kEnrollment,
           .service = &graph_->enrollment_service,
           .service_name = v1::EnrollmentService::service_full_name()});
    }
    absl::Status status = front ? ListenForFront() : absl::OkStatus();
    if (status.ok()) {
      status =
          listeners_.Start(values(), served, &*tls_, options_.clock, &metrics_);
    }
    if (!status.ok()) return status;
    if (!front) ports_.enrollment = listeners_.port(Listener::kEnrollment);
    ports_.cluster = listeners_.port(Listener::kCluster);
    ports_.operator_ = listeners_.port(Listener::kOperator);
    return absl::OkStatus();
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
    listeners_.SetServing(serving);
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
    timers_->ScheduleAfter(ListenerTls::kPollInterval, [this] {
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
  // Below it what its servers call, which goes when they have ended.
  Listeners listeners_;
  std::unique_ptr<ServiceGraph> graph_;
  std::optional<ListenerTls> tls_;
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

#include "mc-service/edge/edge_metrics.h"

#include <array>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mc::service {
namespace {

// What is counted elsewhere, as counters that only go up.
class Follower {
 public:
  explicit Follower(prometheus::Counter& counter) : counter_(&counter) {}

  void Follow(uint64_t count) {
    counter_->Increment(static_cast<double>(count - seen_));
    seen_ = count;
  }

 private:
  prometheus::Counter* counter_;
  uint64_t seen_ = 0;
};

class ListenerFigures {
 public:
  ListenerFigures(EdgeFigures source, prometheus::Registry& registry)
      : source_(std::move(source)),
        connections_(Gauge(registry, "connections", "Connections.")),
        waiting_(Gauge(registry, "handshakes_waiting",
                       "Connections whose handshake may not begin yet.")),
        under_way_(Gauge(registry, "handshakes_under_way",
                         "Handshakes that have begun and not stalled.")),
        handshakes_(prometheus::BuildCounter()
                        .Name("mission_control_edge_handshakes_total")
                        .Help("Handshakes that came to their end.")
                        .Register(registry)
                        .Add({{"listener", source_.listener}})) {
    auto& refused = prometheus::BuildCounter()
                        .Name("mission_control_edge_refused_total")
                        .Help("Connections that were not taken, by reason.")
                        .Register(registry);
    auto& cut = prometheus::BuildCounter()
                    .Name("mission_control_edge_cut_total")
                    .Help("Connections that were ended, by reason.")
                    .Register(registry);
    for (size_t i = 0; i < kEndReasons; ++i) {
      const auto reason = static_cast<EndReason>(i);
      auto& family = IsCut(reason) ? cut : refused;
      ended_.emplace_back(
          family.Add({{"listener", source_.listener},
                      {"reason", std::string(EndReasonName(reason))}}));
    }
  }

  // Returns the connections.
  double Read() {
    const Acceptor::Figures figures = source_.read();
    connections_.Set(static_cast<double>(figures.connections));
    waiting_.Set(static_cast<double>(figures.handshakes_waiting));
    under_way_.Set(static_cast<double>(figures.handshakes_under_way));
    handshakes_.Follow(figures.handshakes);
    for (size_t i = 0; i < ended_.size(); ++i) {
      ended_[i].Follow(figures.ended[i]);
    }
    return static_cast<double>(figures.connections);
  }

 private:
  prometheus::Gauge& Gauge(prometheus::Registry& registry,
                           const std::string& name, const std::string& help) {
    return prometheus::BuildGauge()
        .Name("mission_control_edge_" + name)
        .Help(help)
        .Register(registry)
        .Add({{"listener", source_.listener}});
  }

  const EdgeFigures source_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& under_way_;
  Follower handshakes_;
  std::vector<Follower> ended_;
};

struct AllFigures {
  absl::Mutex mutex;
  std::vector<ListenerFigures> listeners ABSL_GUARDED_BY(mutex);
};

}  // namespace

void AddEdgeFigures(std::vector<EdgeFigures> listeners, Metrics* metrics) {
  auto all = std::make_shared<AllFigures>();
  {
    absl::MutexLock lock(&all->mutex);
    for (EdgeFigures& listener : listeners) {
      all->listeners.emplace_back(std::move(listener), metrics->registry());
    }
  }
  // The sum's reading brings the others up to date.
  metrics->AddGauge("open_connections", "Connections of all listeners.",
                    [all = std::move(all)] {
                      absl::MutexLock lock(&all->mutex);
                      double sum = 0;
                      for (ListenerFigures& each : all->listeners) {
                        sum += each.Read();
                      }
                      return sum;
                    });
}

}  // namespace mc::service

// Figures for Prometheus. Names start with mission_control_.
#ifndef COMMON_METRICS_METRICS_H_
#define COMMON_METRICS_METRICS_H_

#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace mc {

// All figures of a process. Thread-safe. What it returns lives as long as it.
class Metrics {
 public:
  Metrics();

  prometheus::Counter& AddCounter(const std::string& name,
                                  const std::string& help);
  prometheus::Gauge& AddGauge(const std::string& name, const std::string& help);
  // Bounds in ascending order; the unit is in the name.
  prometheus::Histogram& AddHistogram(const std::string& name,
                                      const std::string& help,
                                      std::vector<double> bounds);
  // A gauge that is read when it is asked for. `read` must be thread-safe,
  // must not block, and must work as long as this object lives.
  void AddGauge(const std::string& name, const std::string& help,
                std::function<double()> read);

  // In Prometheus' text format.
  std::string Text() const;

  prometheus::Registry& registry() { return registry_; }

 private:
  prometheus::Registry registry_;
  mutable absl::Mutex mutex_;
  std::vector<std::pair<prometheus::Gauge*, std::function<double()>>> read_
      ABSL_GUARDED_BY(mutex_);
};

// Seconds from 0.1 ms to 10 s, for what people wait for.
std::vector<double> LatencyBounds();

// How often each RPC was called, how it ended, and how long it took. A stream
// counts once, when it ends. Thread-safe.
class RpcMetrics {
 public:
  // The registry must outlive this object.
  explicit RpcMetrics(Metrics* metrics);

  // `method` is the full name, for instance
  // /missioncontrol.v1.ClusterService/CheckLicense.
  void Observe(std::string_view method, absl::StatusCode code,
               absl::Duration latency);

 private:
  struct Method {
    std::map<absl::StatusCode, prometheus::Counter*> calls;
    prometheus::Histogram* latency;
  };

  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& latency_;
  absl::Mutex mutex_;
  std::map<std::string, Method, std::less<>> methods_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc

#endif  // COMMON_METRICS_METRICS_H_

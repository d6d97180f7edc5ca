// The store's commits as figures.
#ifndef MC_SERVICE_EDGE_STORE_METRICS_H_
#define MC_SERVICE_EDGE_STORE_METRICS_H_

#include <atomic>

#include "common/metrics/metrics.h"
#include "common/sqlite/group_commit.h"

namespace mc::service {

// Thread-safe.
class StoreMetrics {
 public:
  // The registry must outlive this object.
  explicit StoreMetrics(Metrics* metrics)
      : latency_(metrics->AddHistogram(
            "store_commit_seconds",
            "From the begin of a transaction to the end of its commit.",
            LatencyBounds())),
        batch_(metrics->AddHistogram("store_commit_works",
                                     "Works of one transaction.",
                                     {1, 2, 4, 8, 16, 32, 64, 128, 256, 512})),
        failures_(
            metrics->AddCounter("store_commit_failures_total",
                                "Transactions that could not be committed.")),
        queue_(metrics->AddGauge("store_queue_length",
                                 "Works that wait for the writer.")) {}

  void Observe(const sqlite::BatchStats& stats) {
    latency_.Observe(stats.commit_seconds);
    batch_.Observe(static_cast<double>(stats.batch_size));
    queue_.Set(static_cast<double>(stats.queue_length));
    if (!stats.status.ok()) failures_.Increment();
    last_commit_succeeded_ = stats.status.ok();
    if (stats.failed) failed_ = true;
  }

  // True before the first commit.
  bool last_commit_succeeded() const {
    return last_commit_succeeded_ && !failed_;
  }
  // Nothing more is stored until the service is restarted.
  bool failed() const { return failed_; }

 private:
  prometheus::Histogram& latency_;
  prometheus::Histogram& batch_;
  prometheus::Counter& failures_;
  prometheus::Gauge& queue_;
  std::atomic<bool> last_commit_succeeded_{true};
  std::atomic<bool> failed_{false};
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_STORE_METRICS_H_

// Metrics and health over plain HTTP, for Prometheus and for probes.
#ifndef COMMON_METRICS_METRICS_SERVER_H_
#define COMMON_METRICS_METRICS_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/metrics/metrics.h"

namespace mc {

// Serves GET /metrics, /healthz (200 while the process lives) and /readyz (200
// or 503). Few threads, small requests: it is for a neighbor, not the public.
class MetricsServer {
 public:
  // `host` is an address, not a name; port 0 takes a free one. UNAVAILABLE
  // when the address cannot be had. `metrics` and `ready` must outlive it.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& host, int port, const Metrics* metrics,
      std::function<bool()> ready);
  virtual ~MetricsServer() = default;

  virtual int port() const = 0;
};

}  // namespace mc

#endif  // COMMON_METRICS_METRICS_SERVER_H_

// What the running server tells of itself at /metrics.
#ifndef MC_SERVICE_SERVER_FIGURES_H_
#define MC_SERVICE_SERVER_FIGURES_H_

#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/edge/store_metrics.h"
#include "mc-service/service_graph.h"

namespace mc::service {

// Of the process, its disk, its certificates as they are now, and its parts.
// `graph` and `store` live as long as the metrics are read.
void AddServerFigures(const Configuration& configuration, absl::Time started_at,
                      const ServiceGraph& graph, const StoreMetrics& store,
                      Metrics* metrics);

}  // namespace mc::service

#endif  // MC_SERVICE_SERVER_FIGURES_H_

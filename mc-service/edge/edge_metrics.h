// Figures of the listeners' connections.
#ifndef MC_SERVICE_EDGE_EDGE_METRICS_H_
#define MC_SERVICE_EDGE_EDGE_METRICS_H_

#include <functional>
#include <string>
#include <vector>

#include "common/metrics/metrics.h"
#include "mc-service/edge/acceptor.h"

namespace mc::service {

struct EdgeFigures {
  // The listener's name.
  std::string listener;
  // Thread-safe; works as long as the metrics are read.
  std::function<Acceptor::Figures()> read;
};

// Connections, handshakes, and what was refused or cut for which reason, of
// each listener; mission_control_edge_...
void AddEdgeFigures(std::vector<EdgeFigures> listeners, Metrics* metrics);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_EDGE_METRICS_H_

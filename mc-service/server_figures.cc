#include "mc-service/server_figures.h"

#include <string>
#include <utility>
#include <vector>

#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "mc-service/edge/service_metrics.h"

namespace mc::service {
namespace {

// The configuration was checked: each can be read.
std::vector<std::pair<std::string, absl::Time>> CertificateEnds(
    const Configuration& configuration) {
  const config::Listeners& listeners = configuration.values.listeners();
  const StateLayout state = configuration.state();
  std::vector<std::pair<std::string, absl::Time>> ends;
  for (const auto& [name, file] : {
           std::pair("enrollment listener",
                     listeners.enrollment().certificate_file()),
           std::pair("cluster listener",
                     listeners.cluster().certificate_file()),
           std::pair("operator listener",
                     listeners.operator_().certificate_file()),
           std::pair("server CA", state.ServerCa().certificate),
           std::pair("cluster CA", state.ClusterCa().certificate),
           std::pair("operator CA", state.OperatorCa().certificate),
       }) {
    const absl::StatusOr<std::string> pem = ReadFile(file);
    if (!pem.ok()) continue;
    const absl::StatusOr<CertificateInfo> info = ParseCertificatePem(*pem);
    if (info.ok()) ends.emplace_back(name, info->not_after);
  }
  return ends;
}

}  // namespace

void AddServerFigures(const Configuration& configuration, absl::Time started_at,
                      const ServiceGraph& graph, const StoreMetrics& store,
                      Metrics* metrics) {
  metrics->AddGauge(
      "connected_clusters", "Clusters with an open heartbeat stream.",
      [&graph] { return graph.streams.Count(StreamKind::kHeartbeats); });
  metrics->AddGauge("executor_queue_length", "Calls that wait for a thread.",
                    [&graph] { return graph.executor.queued(); });
  metrics->AddGauge("executor_queue_limit", "Calls that may wait.")
      .Set(static_cast<double>(
          configuration.values.limits().max_queued_calls()));
  metrics->AddGauge(
      "store_failed",
      "1 when nothing more is stored until the service is restarted.",
      [&store] { return store.failed() ? 1.0 : 0.0; });
  AddDescriptorFigures(metrics);
  AddServiceFigures({.store_file = configuration.state().StoreFile(),
                     .started_at = started_at,
                     .certificates = CertificateEnds(configuration)},
                    metrics);
}

}  // namespace mc::service

// What a site of several nodes looks like to the vendor and to its own
// administrator.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_VIEW_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_VIEW_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster-agent/domain/site/node_registry.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/health.pb.h"
#include "missioncontrol/v1/heartbeat.pb.h"

namespace mc::agent {

// Adds every other node to a health check. A silent one has its last facts,
// and SILENT for itself and its services; one that has never reported has its
// ID alone.
void AddNodes(const std::vector<KnownNode>& nodes,
              missioncontrol::v1::HealthCheck& check);

// Each ActiveGate once: as the master's own node knows it, else a live node,
// else one that was not heard of yet, else a silent one, which knows nothing
// better than SILENT.
std::vector<missioncontrol::v1::ActiveGateHealth> SiteActiveGates(
    std::vector<missioncontrol::v1::ActiveGateHealth> own,
    const std::vector<KnownNode>& nodes);

// One beat for the master's node, each live node, and each ActiveGate that
// runs, with node ID and source type.
std::vector<missioncontrol::v1::StreamHeartbeatsRequest> SiteBeats(
    const std::string& master_node_id,
    std::vector<missioncontrol::v1::ActiveGateHealth> own_gates,
    const std::vector<KnownNode>& nodes);

// A page of the nodes, the master first. INVALID_ARGUMENT (INVALID_FIELD).
absl::StatusOr<missioncontrol::v1::ListNodesResponse> ListNodes(
    const missioncontrol::v1::NodeEntry& master,
    const std::vector<KnownNode>& nodes,
    const missioncontrol::v1::ListNodesRequest& request);

// live_nodes and silent_nodes, the master among the live ones.
void CountNodes(const std::vector<KnownNode>& nodes,
                missioncontrol::v1::GetStatusResponse& status);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_VIEW_H_

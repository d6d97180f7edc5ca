// The health check: what is seen of the machine, what the product described,
// and what the site has configured.
#ifndef MC_CLUSTER_AGENT_DOMAIN_HEALTH_HEALTH_BUILDER_H_
#define MC_CLUSTER_AGENT_DOMAIN_HEALTH_HEALTH_BUILDER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/collect/kernel_files.h"
#include "cluster-agent/domain/description/description.h"
#include "cluster-agent/domain/site/node_registry.h"
#include "missioncontrol/config/v1/agent.pb.h"
#include "missioncontrol/v1/health.pb.h"

namespace mc::agent {

// What is built from; the pointers outlive it.
struct HealthSources {
  CollectOptions collect;
  // Checked, with defaults.
  const missioncontrol::config::v1::AgentConfig* values = nullptr;
  const missioncontrol::config::v1::Inventory* inventory = nullptr;
  const Description* description = nullptr;
  // Of the check alone; empty for a node's part.
  std::string cluster_id;
  std::string node_id;
  std::string agent_version;
  // The other nodes of the site, on its master; null: there are none.
  std::function<std::vector<KnownNode>()> other_nodes = nullptr;
};

struct BuiltHealth {
  // Without traffic_size, which the outbox fills in.
  missioncontrol::v1::HealthCheck check;
  // What could not be read, for the site's own log; the check goes without.
  std::vector<absl::Status> missing;
};

struct BuiltNode {
  // This node's part of the check; `master` is not set.
  missioncontrol::v1::NodeHealth node;
  // As in BuiltHealth.
  std::vector<absl::Status> missing;
};

// Both read files; thread-safe. An error: the machine's own values cannot be
// read.
absl::StatusOr<BuiltNode> BuildNodeHealth(const HealthSources& sources);
absl::StatusOr<BuiltHealth> BuildHealthCheck(const HealthSources& sources,
                                             absl::Time now);

// As the product described it, else of version_file, else of the
// configuration. An error: version_file cannot be read, or holds no version.
absl::StatusOr<std::string> ProductVersion(const HealthSources& sources);

// All ActiveGates that this node knows, those that the product described
// first.
std::vector<missioncontrol::v1::ActiveGateHealth> KnownActiveGates(
    const HealthSources& sources);

// What holds: a remote access that nobody has decided about is off.
missioncontrol::v1::PrivacySettings EffectivePrivacy(
    const missioncontrol::config::v1::AgentConfig& values);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_HEALTH_HEALTH_BUILDER_H_

// What the configuration says of a Lease of Kubernetes.
#ifndef MC_CLUSTER_AGENT_DOMAIN_MASTERSHIP_LEASE_CONFIG_H_
#define MC_CLUSTER_AGENT_DOMAIN_MASTERSHIP_LEASE_CONFIG_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

// Fills in durations.
void ApplyLeaseDefaults(missioncontrol::config::v1::KubernetesLease& lease);

// Adds a line for each problem, with its key and what to do.
void CheckLease(const missioncontrol::config::v1::KubernetesLease& lease,
                std::vector<std::string>& problems);

struct ApiServer {
  // Without brackets.
  std::string host;
  int port = 443;
};
// Of https://host or https://host:port. INVALID_ARGUMENT for anything else.
absl::StatusOr<ApiServer> ParseApiServer(std::string_view url);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_MASTERSHIP_LEASE_CONFIG_H_

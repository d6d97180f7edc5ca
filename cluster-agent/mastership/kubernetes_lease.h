// A Lease on the API server of Kubernetes.
//
// The agent's service account needs, for the one Lease by its name, `get` and
// `update`; and `create`, which Kubernetes cannot bind to a name: leave it out
// where the Lease is made beforehand.
#ifndef MC_CLUSTER_AGENT_MASTERSHIP_KUBERNETES_LEASE_H_
#define MC_CLUSTER_AGENT_MASTERSHIP_KUBERNETES_LEASE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/mastership/lease_api.h"
#include "common/time/clock.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

struct KubernetesLeaseOptions {
  // Without brackets.
  std::string host;
  int port = 443;
  std::string name_space;
  std::string name;
  // Both are read for each call: tokens are replaced within the hour.
  std::string token_file;
  std::string ca_file;
  // Of a whole call.
  absl::Duration timeout;
  const Clock* clock = nullptr;
};

// What Kubernetes tells its pods.
struct PodEnvironment {
  // KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT; empty: not set.
  std::string service_host;
  std::string service_port;
  // Of the service account: token, ca.crt, namespace.
  std::string account_directory =
      "/var/run/secrets/kubernetes.io/serviceaccount";
};

// Fills in what the configuration leaves to the pod's environment. `values` has
// been checked. INVALID_ARGUMENT: this is no pod, and the configuration does
// not say it either.
absl::StatusOr<KubernetesLeaseOptions> ResolveKubernetesLease(
    const missioncontrol::config::v1::KubernetesLease& values,
    const PodEnvironment& pod);

// TLS with the given CA alone, and never through a proxy: the API server is in
// the pod's own cluster.
std::unique_ptr<LeaseApi> MakeKubernetesLease(KubernetesLeaseOptions options);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_MASTERSHIP_KUBERNETES_LEASE_H_

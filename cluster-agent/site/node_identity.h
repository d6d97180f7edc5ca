// Which node calls, and whether it may.
#ifndef MC_CLUSTER_AGENT_SITE_NODE_IDENTITY_H_
#define MC_CLUSTER_AGENT_SITE_NODE_IDENTITY_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/statusor.h"
#include "cluster-agent/site/site_service.h"

namespace mc::agent {

struct CallingNode {
  std::string node_id;
  std::string serial_hex;
};

// UNAUTHENTICATED: IDENTITY_MISSING (no certificate of this site, or one that
// has expired). FAILED_PRECONDITION: NOT_MASTER. Else as NodeRegistry::Admit.
// Does not wait.
absl::StatusOr<CallingNode> Identify(
    const SiteDeps& deps, const grpc::CallbackServerContext& context);

// The status that may leave the master: one without a reason is logged and
// replaced by INTERNAL (INTERNAL_FAULT).
absl::Status PublicStatus(const absl::Status& status);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_NODE_IDENTITY_H_

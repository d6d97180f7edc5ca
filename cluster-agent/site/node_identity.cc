#include "cluster-agent/site/node_identity.h"

#include "common/log/log.h"
#include "common/status/status.h"
#include "common/tls/identity.h"

namespace mc::agent {

namespace v1 = missioncontrol::v1;

absl::StatusOr<CallingNode> Identify(
    const SiteDeps& deps, const grpc::CallbackServerContext& context) {
  if (deps.is_master != nullptr && !deps.is_master()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 v1::ERROR_REASON_NOT_MASTER,
                 "this agent does not speak for the cluster now");
  }
  const absl::StatusOr<PeerIdentity> peer =
      PeerIdentityOf(*context.auth_context());
  if (!peer.ok()) return peer.status();
  // The handshake has verified that it is of this site's CA.
  if (peer->kind != "node" || peer->trust_domain != deps.cluster_id) {
    return Error(absl::StatusCode::kUnauthenticated,
                 v1::ERROR_REASON_IDENTITY_MISSING,
                 "the certificate names no node of this site; let it join");
  }
  // A connection can be older than the end of its certificate.
  if (deps.clock->Now() > peer->not_after) {
    return Error(absl::StatusCode::kUnauthenticated,
                 v1::ERROR_REASON_IDENTITY_MISSING,
                 "the node's certificate has expired; let it join again");
  }
  const absl::Status admitted =
      deps.registry->Admit(peer->id, peer->serial_hex);
  if (!admitted.ok()) return admitted;
  return CallingNode{peer->id, peer->serial_hex};
}

absl::Status PublicStatus(const absl::Status& status) {
  if (status.ok() || ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) {
    return status;
  }
  LogError("a node's call failed", {{"detail", std::string(status.message())}});
  return Error(absl::StatusCode::kInternal, v1::ERROR_REASON_INTERNAL_FAULT,
               "the master has a fault; look into its log");
}

}  // namespace mc::agent

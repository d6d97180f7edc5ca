#include "mc-service/edge/guard.h"

#include <memory>
#include <utility>

#include "common/status/status.h"

namespace mc::service {
namespace {

absl::Status NotAllowed() {
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_METHOD_NOT_ALLOWED,
               "No policy allows this method.");
}

absl::Status IdentityMissing(std::string_view message) {
  return Error(absl::StatusCode::kUnauthenticated,
               v1::ERROR_REASON_IDENTITY_MISSING, message);
}

absl::Status Expired(bool cluster) {
  if (!cluster) {
    return IdentityMissing(
        "The certificate has expired; connect with a new one.");
  }
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_MUST_RECOVER,
               "The certificate has expired; recover with the password of the "
               "registration.");
}

}  // namespace

Guard::Guard(Options options) : options_(std::move(options)) {}

absl::StatusOr<Caller> Guard::Check(const grpc::CallbackServerContext& context,
                                    std::string_view full_method) const {
  const MethodPolicy* policy = FindPolicy(full_method);
  if (policy == nullptr) return NotAllowed();
  if (policy->caller == Caller::Kind::kAnonymous) {
    Caller caller;
    caller.peer = RealPeer(*policy, context.peer());
    return caller;
  }
  const absl::StatusOr<PeerIdentityCache::Entry> identity =
      options_.identities->Of(*context.auth_context());
  if (!identity.ok()) return identity.status();
  return Check(**identity, context.peer(), full_method);
}

absl::StatusOr<Caller> Guard::Check(const PeerIdentity& identity,
                                    std::string_view peer,
                                    std::string_view full_method) const {
  const MethodPolicy* policy = FindPolicy(full_method);
  if (policy == nullptr) return NotAllowed();
  Caller caller;
  caller.kind = policy->caller;
  caller.peer = RealPeer(*policy, peer);
  if (policy->caller == Caller::Kind::kAnonymous) return caller;

  const bool cluster = policy->caller == Caller::Kind::kCluster;
  if (identity.kind != (cluster ? "cluster" : "operator") ||
      identity.trust_domain != options_.trust_domain) {
    return IdentityMissing(
        cluster ? "Call with the certificate that the cluster's registration "
                  "issued."
                : "Call with an operator's certificate of this service.");
  }
  if (identity.not_after < options_.clock->Now()) return Expired(cluster);
  caller.id = identity.id;
  caller.tls_key_digest = identity.spki_sha256;
  if (cluster) {
    const absl::Status status = CheckCluster(identity);
    if (!status.ok()) return status;
    return caller;
  }
  const absl::StatusOr<Operator> found = options_.find_operator(caller.id);
  if (!found.ok()) return found.status();
  caller.role = found->role;
  if (caller.role < policy->role) {
    return Error(absl::StatusCode::kPermissionDenied,
                 v1::ERROR_REASON_ROLE_NOT_SUFFICIENT,
                 "Your role does not allow this call; ask an admin.");
  }
  return caller;
}

std::string Guard::RealPeer(const MethodPolicy& policy,
                            std::string_view peer) const {
  return options_.real_peer ? options_.real_peer(policy.listener, peer)
                            : std::string(peer);
}

absl::Status Guard::CheckCluster(const PeerIdentity& identity) const {
  const absl::StatusOr<std::shared_ptr<const Cluster>> cluster =
      options_.find_cluster(identity.id);
  if (!cluster.ok()) return cluster.status();
  if (identity.spki_sha256 == (*cluster)->tls_key_digest) {
    return absl::OkStatus();
  }
  return options_.admit_key(identity);
}

}  // namespace mc::service

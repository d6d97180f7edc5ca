// Decides whether a call may run, and for whom.
#ifndef MC_SERVICE_EDGE_GUARD_H_
#define MC_SERVICE_EDGE_GUARD_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "common/tls/identity.h"
#include "common/tls/identity_cache.h"
#include "mc-service/edge/policy.h"
#include "mc-service/store/types.h"

namespace mc::service {

// Thread-safe as far as its lookups are.
class Guard {
 public:
  struct Options {
    // The authority that identities must have.
    std::string trust_domain;
    // The cluster that may call, or IDENTITY_UNKNOWN, IDENTITY_REVOKED,
    // REGISTRATION_PENDING, or the store's error. It may block.
    std::function<absl::StatusOr<std::shared_ptr<const Cluster>>(
        std::string_view id)>
        find_cluster;
    // Whether another key of it than its current one is good, or MUST_RECOVER,
    // MUST_REENROLL, or the store's error. It may block.
    std::function<absl::Status(const PeerIdentity& identity)> admit_key;
    // The operator's role; IDENTITY_UNKNOWN or the store's error. It may block.
    std::function<absl::StatusOr<Operator>(std::string_view name)>
        find_operator;
    const Clock* clock = nullptr;
    // Certificates that were parsed before.
    PeerIdentityCache* identities = nullptr;
    // Where the caller really is whom gRPC names; null: where gRPC says.
    std::function<std::string(Listener listener, std::string_view peer)>
        real_peer = nullptr;
  };

  explicit Guard(Options options);

  // The caller, or why the call is refused: PERMISSION_DENIED
  // (METHOD_NOT_ALLOWED, IDENTITY_UNKNOWN, IDENTITY_REVOKED,
  // REGISTRATION_PENDING, ROLE_NOT_SUFFICIENT; MUST_RECOVER for a cluster's
  // certificate that has expired since the handshake or that a later one
  // replaced; MUST_REENROLL where other keys took the registration over),
  // UNAUTHENTICATED (IDENTITY_MISSING: also an operator's certificate that has
  // expired), or the store's error. It may block: not for reactions, but for
  // the executor. On an open stream it is called again at intervals.
  absl::StatusOr<Caller> Check(const grpc::CallbackServerContext& context,
                               std::string_view full_method) const;

  // The same, of what the handshake proved: on an open stream, whose
  // certificate stays the same. `peer` goes into the Caller.
  absl::StatusOr<Caller> Check(const PeerIdentity& identity,
                               std::string_view peer,
                               std::string_view full_method) const;

 private:
  std::string RealPeer(const MethodPolicy& policy, std::string_view peer) const;
  absl::Status CheckCluster(const PeerIdentity& identity) const;

  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_GUARD_H_

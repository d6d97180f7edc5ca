// What an operator decides of a cluster's identity.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_ADOPTION_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_ADOPTION_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Of the agents that have one identity this one is the cluster. It is asked to
// renew; when it has used its new key, all others are lost. Empty: the
// suspicion was wrong, and ends. Idempotent. NOT_FOUND (UNKNOWN_RESOURCE) also
// for an agent that was not heard of; FAILED_PRECONDITION (IDENTITY_REVOKED).
absl::Status AdoptCluster(Store& store, std::string_view cluster_id,
                          std::string_view agent_instance_id, absl::Time now);

// To be called in the transaction that lets other keys register the cluster:
// those that it has then can be told what happened to them.
absl::Status KeepIdentity(Writer& writer, std::string_view cluster_id);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_ADOPTION_H_

// Clusters that wait to be registered.
#ifndef MC_SERVICE_DOMAIN_ACCESS_APPROVAL_H_
#define MC_SERVICE_DOMAIN_ACCESS_APPROVAL_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Registers a cluster that waits: from `now` on it counts, and when its agent
// asks again, with the same keys, it gets its certificate. Idempotent: one
// that is registered stays so. NOT_FOUND (UNKNOWN_RESOURCE);
// FAILED_PRECONDITION (IDENTITY_REVOKED, LICENSE_CLUSTER_LIMIT).
absl::Status ApproveRegistration(Store& store, std::string_view cluster_id,
                                 absl::Time now);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ACCESS_APPROVAL_H_

// What a license's enrollment policy asks of a registration.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_POLICY_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_POLICY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Registrations of one license that may wait for an operator.
inline constexpr int64_t kMaxPendingClusters = 100;

// "MCE-" and 256 random bits in base64url. A secret: it is shown once, and
// kept as its digest.
std::string GenerateEnrollmentToken();
// SHA-256 of the token's characters, 32 raw bytes: what is stored.
std::string EnrollmentTokenDigest(std::string_view token);

// The token of the license that lets the cluster register now. A used one is
// good for `cluster_id` alone, where `repeated`: the registration has the keys
// that it was used for. PERMISSION_DENIED (ENROLLMENT_TOKEN_REFUSED), else the
// store's error. No message holds the token.
absl::StatusOr<EnrollmentToken> UsableToken(Reader& reader,
                                            const License& license,
                                            std::string_view token,
                                            std::string_view cluster_id,
                                            bool repeated, absl::Time now);

// Whether another cluster may be registered with the license:
// FAILED_PRECONDITION (LICENSE_CLUSTER_LIMIT), else the store's error.
absl::Status CheckRoom(Reader& reader, const License& license);

// Whether another one may wait for its approval: as CheckRoom.
absl::Status CheckWaitingRoom(Reader& reader, const License& license);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_POLICY_H_

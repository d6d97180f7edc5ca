// One-time enrollment tokens: what an operator may do with them.
#ifndef MC_SERVICE_DOMAIN_ACCESS_TOKENS_H_
#define MC_SERVICE_DOMAIN_ACCESS_TOKENS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_identity.pb.h"

namespace mc::service {

inline constexpr absl::Duration kDefaultTokenLifetime = absl::Hours(24);
inline constexpr absl::Duration kMaxTokenLifetime = absl::Hours(24 * 90);

struct NewEnrollmentToken {
  EnrollmentToken row;
  // The token itself, which is not kept.
  std::string token;
};

// INVALID_ARGUMENT (INVALID_FIELD) for a lifetime that is not above 0, or
// longer than the most; NOT_FOUND (UNKNOWN_RESOURCE) for the license;
// FAILED_PRECONDITION (LICENSE_REVOKED).
absl::StatusOr<NewEnrollmentToken> CreateEnrollmentToken(
    Store& store, const v1::CreateEnrollmentTokenRequest& request,
    absl::Time now);

// Idempotent. NOT_FOUND (UNKNOWN_RESOURCE) for one that never was.
absl::Status DeleteEnrollmentToken(Store& store, std::string_view token_id);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ACCESS_TOKENS_H_

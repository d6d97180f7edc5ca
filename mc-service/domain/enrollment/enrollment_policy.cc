#include "mc-service/domain/enrollment/enrollment_policy.h"

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

constexpr size_t kTokenBytes = 32;

absl::Status TokenRefused(std::string_view message) {
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED, message);
}

absl::Status LimitReached(std::string_view message) {
  return Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT, message);
}

}  // namespace

std::string GenerateEnrollmentToken() {
  return absl::StrCat("MCE-", Base64Url(RandomBytes(kTokenBytes)));
}

std::string EnrollmentTokenDigest(std::string_view token) {
  return Sha256(token);
}

absl::StatusOr<EnrollmentToken> UsableToken(Reader& reader,
                                            const License& license,
                                            std::string_view token,
                                            std::string_view cluster_id,
                                            bool repeated, absl::Time now) {
  if (token.empty()) {
    return TokenRefused(
        "The license needs an enrollment token for each cluster; ask the "
        "vendor for one, and put it into the agent's enrollment_token_file.");
  }
  absl::StatusOr<EnrollmentToken> found =
      reader.FindEnrollmentToken(EnrollmentTokenDigest(token));
  if (absl::IsNotFound(found.status()) ||
      (found.ok() && (found->license_id != license.id || found->deleted))) {
    return TokenRefused(
        "The license has no such enrollment token; check it, or ask the vendor "
        "for another.");
  }
  if (!found.ok()) return found;
  if (found->used_at.has_value()) {
    if (repeated && found->cluster_id == cluster_id) return found;
    return TokenRefused(
        "The enrollment token was used already; ask the vendor for another.");
  }
  if (found->expires_at <= now) {
    return TokenRefused(
        "The enrollment token has expired; ask the vendor for another.");
  }
  return found;
}

absl::Status CheckRoom(Reader& reader, const License& license) {
  if (!license.limits.has_clusters()) return absl::OkStatus();
  const absl::StatusOr<int64_t> count = reader.CountClusters(license.id);
  if (!count.ok()) return count.status();
  if (*count < license.limits.clusters()) return absl::OkStatus();
  return LimitReached(
      absl::StrCat("The license allows ", license.limits.clusters(),
                   " clusters, and as many are registered; ask the "
                   "vendor for more, or to revoke one."));
}

absl::Status CheckWaitingRoom(Reader& reader, const License& license) {
  const absl::StatusOr<int64_t> count = reader.CountPendingClusters(license.id);
  if (!count.ok()) return count.status();
  if (*count < kMaxPendingClusters) return absl::OkStatus();
  return LimitReached(
      absl::StrCat(kMaxPendingClusters,
                   " clusters of this license wait for the vendor's approval "
                   "already; ask the vendor to approve or refuse them."));
}

}  // namespace mc::service

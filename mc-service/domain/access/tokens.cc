#include "mc-service/domain/access/tokens.h"

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/enrollment/enrollment_policy.h"
#include "mc-service/domain/fleet/licensing.h"

namespace mc::service {
namespace {

absl::StatusOr<absl::Duration> LifetimeOf(
    const v1::CreateEnrollmentTokenRequest& request) {
  if (!request.has_lifetime()) return kDefaultTokenLifetime;
  const absl::StatusOr<absl::Duration> lifetime = FromProto(request.lifetime());
  if (!lifetime.ok() || *lifetime <= absl::ZeroDuration() ||
      *lifetime > kMaxTokenLifetime) {
    return InvalidField("lifetime", "must be above 0 and at most 90 days");
  }
  return lifetime;
}

}  // namespace

absl::StatusOr<NewEnrollmentToken> CreateEnrollmentToken(
    Store& store, const v1::CreateEnrollmentTokenRequest& request,
    absl::Time now) {
  const absl::StatusOr<absl::Duration> lifetime = LifetimeOf(request);
  if (!lifetime.ok()) return lifetime.status();
  NewEnrollmentToken made;
  made.token = GenerateEnrollmentToken();
  made.row.id = RandomUuid();
  made.row.license_id = request.license_id();
  made.row.digest = EnrollmentTokenDigest(made.token);
  made.row.created_at = now;
  made.row.expires_at = now + *lifetime;
  const absl::Status status =
      store.WriteAndWait([&made](Writer& writer) -> absl::Status {
        const auto license = writer.GetLicense(made.row.license_id);
        if (!license.ok()) {
          return ExplainMissing(license.status(),
                                "license " + made.row.license_id);
        }
        if (license->state == v1::LICENSE_STATE_REVOKED) {
          return Error(absl::StatusCode::kFailedPrecondition,
                       v1::ERROR_REASON_LICENSE_REVOKED,
                       "A revoked license registers no cluster; create "
                       "another license.");
        }
        return writer.PutEnrollmentToken(made.row);
      });
  if (!status.ok()) return status;
  return made;
}

absl::Status DeleteEnrollmentToken(Store& store, std::string_view token_id) {
  return store.WriteAndWait(
      [id = std::string(token_id)](Writer& writer) -> absl::Status {
        auto token = writer.GetEnrollmentToken(id);
        if (!token.ok()) {
          return ExplainMissing(token.status(), "enrollment token " + id);
        }
        token->deleted = true;
        return writer.PutEnrollmentToken(*token);
      });
}

}  // namespace mc::service

#include "mc-service/api/cluster_calls.h"

#include <utility>

#include "absl/status/statusor.h"
#include "mc-service/domain/license/license.h"

namespace mc::service {

absl::Status CheckLicense(const LicenseDesk& desk, const Caller& caller,
                          const v1::CheckLicenseRequest& /*request*/,
                          v1::CheckLicenseResponse* response,
                          std::string* summary) {
  absl::StatusOr<v1::CheckLicenseResponse> answer = desk.Check(caller.id);
  if (!answer.ok()) return answer.status();
  *summary = Describe(answer->license());
  *response = *std::move(answer);
  return absl::OkStatus();
}

absl::Status CheckUpdates(const UpdateDesk& desk, const Caller& caller,
                          const v1::CheckUpdatesRequest& request,
                          v1::CheckUpdatesResponse* response,
                          std::string* summary) {
  absl::StatusOr<v1::CheckUpdatesResponse> answer =
      desk.Check(caller.id, request);
  if (!answer.ok()) return answer.status();
  *summary = Describe(*answer);
  *response = *std::move(answer);
  return absl::OkStatus();
}

absl::Status RenewCertificate(RenewalDesk& desk, const Caller& caller,
                              const v1::RenewCertificateRequest& request,
                              v1::RenewCertificateResponse* response,
                              std::string* /*summary*/) {
  absl::StatusOr<v1::RenewCertificateResponse> answer =
      desk.Renew(caller.id, caller.tls_key_digest, request);
  if (!answer.ok()) return answer.status();
  *response = *std::move(answer);
  return absl::OkStatus();
}

}  // namespace mc::service

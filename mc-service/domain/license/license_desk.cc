#include "mc-service/domain/license/license_desk.h"

#include <utility>

#include "common/crypto/document.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/license/license.h"

namespace mc::service {

absl::StatusOr<License> LicenseOf(Reader& reader, std::string_view cluster_id) {
  const absl::StatusOr<Cluster> cluster = reader.GetCluster(cluster_id);
  if (absl::IsNotFound(cluster.status())) {
    return Error(absl::StatusCode::kPermissionDenied,
                 v1::ERROR_REASON_IDENTITY_UNKNOWN,
                 "The cluster is not registered; register it first.");
  }
  if (!cluster.ok()) return cluster.status();
  return reader.GetLicense(cluster->license_id);
}

absl::StatusOr<v1::CheckLicenseResponse> LicenseDesk::Check(
    std::string_view cluster_id) const {
  License license;
  Account account;
  absl::Status read = options_.store->Read([&](Reader& reader) {
    absl::StatusOr<License> found = LicenseOf(reader, cluster_id);
    if (!found.ok()) return found.status();
    license = *std::move(found);
    absl::StatusOr<Account> owner = reader.GetAccount(license.account_id);
    if (owner.ok()) account = *std::move(owner);
    return owner.status();
  });
  if (!read.ok()) return read;
  const absl::Time now = options_.clock->Now();
  v1::CheckLicenseResponse response;
  *response.mutable_license() = MakeDocument(license, account, cluster_id, now);
  *response.mutable_signed_license() =
      options_.signer->Sign(response.license());
  *response.mutable_service_time() = ToProto(now);
  response.mutable_key_successions()->Assign(options_.key_successions.begin(),
                                             options_.key_successions.end());
  if (options_.next_interval.has_value()) {
    *response.mutable_pacing()->mutable_next_interval() =
        ToProto(*options_.next_interval);
  }
  return response;
}

}  // namespace mc::service

// Accounts and their licenses: what an operator may create and change.
#ifndef MC_SERVICE_DOMAIN_FLEET_LICENSING_H_
#define MC_SERVICE_DOMAIN_FLEET_LICENSING_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_accounts.pb.h"

namespace mc::service {

// ALREADY_EXISTS (ALREADY_PRESENT) for a name that is taken; INVALID_ARGUMENT
// (INVALID_FIELD).
absl::StatusOr<Account> CreateAccount(Store& store, std::string_view name,
                                      absl::Time now);

struct NewLicense {
  License license;
  // The key itself, which is not kept.
  std::string key;
};

// The license that a request describes, with an ID and a key of its own.
// INVALID_ARGUMENT (INVALID_FIELD).
absl::StatusOr<NewLicense> DescribeLicense(
    const v1::CreateLicenseRequest& request, absl::Time now);

// Also NOT_FOUND (UNKNOWN_RESOURCE) for the account, ALREADY_EXISTS
// (ALREADY_PRESENT) for a name that the account has.
absl::StatusOr<NewLicense> CreateLicense(
    Store& store, const v1::CreateLicenseRequest& request, absl::Time now);

// What an UpdateLicenseRequest asks for, applied to a license. INVALID_ARGUMENT
// (INVALID_FIELD); FAILED_PRECONDITION (LICENSE_REVOKED). Limits that name no
// reset keep the one that is.
absl::StatusOr<License> ChangeLicense(License license,
                                      const v1::UpdateLicenseRequest& request);

// Idempotent: what is there already changes nothing. Other limits or another
// model hold from `now` on, and totals that depend on them follow. Also
// NOT_FOUND (UNKNOWN_RESOURCE).
absl::StatusOr<License> UpdateLicense(Store& store,
                                      const v1::UpdateLicenseRequest& request,
                                      absl::Time now);

// Whether an operator may put a license from one state into another: all but
// out of REVOKED; FAILED_PRECONDITION (LICENSE_REVOKED).
absl::Status CheckTransition(v1::LicenseState from, v1::LicenseState to);

// Idempotent. NOT_FOUND (UNKNOWN_RESOURCE), and as CheckTransition.
absl::Status ChangeLicenseState(Store& store, std::string_view license_id,
                                v1::LicenseState state);

// Idempotent. Lets other keys register the cluster's ID once. NOT_FOUND
// (UNKNOWN_RESOURCE); FAILED_PRECONDITION (IDENTITY_REVOKED,
// REGISTRATION_PENDING).
absl::Status ReopenRegistration(Store& store, std::string_view cluster_id);
// Idempotent, and for good. NOT_FOUND (UNKNOWN_RESOURCE).
absl::Status RevokeCluster(Store& store, std::string_view cluster_id);

// A row that was asked for by name and is not there: NOT_FOUND
// (UNKNOWN_RESOURCE), said with what it is. Other statuses stay as they are.
absl::Status ExplainMissing(absl::Status status, std::string_view what);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_FLEET_LICENSING_H_

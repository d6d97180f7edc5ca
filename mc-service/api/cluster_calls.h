// The unary calls of ClusterService: what its handlers are bound to, for
// instance std::bind_front(CheckLicense, std::cref(desk)).
#ifndef MC_SERVICE_API_CLUSTER_CALLS_H_
#define MC_SERVICE_API_CLUSTER_CALLS_H_

#include <string>

#include "absl/status/status.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
#include "mc-service/domain/license/license_desk.h"
#include "mc-service/domain/updates/updates.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// Each answers the cluster that calls, and says in `summary` what it answered.
// They block.
absl::Status CheckLicense(const LicenseDesk& desk, const Caller& caller,
                          const v1::CheckLicenseRequest& request,
                          v1::CheckLicenseResponse* response,
                          std::string* summary);
absl::Status CheckUpdates(const UpdateDesk& desk, const Caller& caller,
                          const v1::CheckUpdatesRequest& request,
                          v1::CheckUpdatesResponse* response,
                          std::string* summary);
absl::Status RenewCertificate(RenewalDesk& desk, const Caller& caller,
                              const v1::RenewCertificateRequest& request,
                              v1::RenewCertificateResponse* response,
                              std::string* summary);

}  // namespace mc::service

#endif  // MC_SERVICE_API_CLUSTER_CALLS_H_

// Operators: who they are, what they may do, and their certificates.
#ifndef MC_SERVICE_DOMAIN_ACCESS_OPERATOR_DESK_H_
#define MC_SERVICE_DOMAIN_ACCESS_OPERATOR_DESK_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_identity.pb.h"

namespace mc {
class CertificateAuthority;
class Clock;
}  // namespace mc

namespace mc::service {

class OperatorDirectory;

// Thread-safe. It blocks: not for reactions. Each change is seen by this
// process at once.
class OperatorDesk {
 public:
  struct Options {
    Store* store = nullptr;
    // Told of each change.
    OperatorDirectory* directory = nullptr;
    // The operator CA.
    const CertificateAuthority* authority = nullptr;
    const Clock* clock = nullptr;
    // The authority of the identities that are certified.
    std::string trust_domain;
    absl::Duration certificate_lifetime = absl::Hours(2160);
  };

  explicit OperatorDesk(Options options) : options_(std::move(options)) {}

  struct Certified {
    Operator op;
    // X.509 in DER.
    std::string certificate;
    // The issuer, in DER.
    std::string issuer;
  };

  // INVALID_ARGUMENT (INVALID_FIELD, or those of ParseCsrDer and
  // CheckClusterCsr); ALREADY_EXISTS (ALREADY_PRESENT) for a name that is, or
  // was, another operator's.
  absl::StatusOr<Certified> Create(
      const v1::CreateOperatorRequest& request) const;

  // Idempotent. INVALID_ARGUMENT (INVALID_FIELD), also for the last admin;
  // NOT_FOUND (UNKNOWN_RESOURCE).
  absl::StatusOr<Operator> ChangeRole(std::string_view name,
                                      v1::OperatorRole role) const;

  // For good. Errors as ChangeRole.
  absl::Status Delete(std::string_view name) const;

  // A certificate for `caller`, or, where the request names another operator
  // and `role` is kAdmin, for that one: PERMISSION_DENIED
  // (ROLE_NOT_SUFFICIENT) without that role. Else errors as Create, and
  // NOT_FOUND (UNKNOWN_RESOURCE).
  absl::StatusOr<Certified> Issue(
      const std::string& caller, Role role,
      const v1::IssueOperatorCertificateRequest& request) const;

 private:
  // Fills in the certificate and its end.
  absl::Status Certify(const std::string& csr_der, absl::Time now,
                       Certified& certified) const;

  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ACCESS_OPERATOR_DESK_H_

// What the cluster CA certifies.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_CERTIFICATION_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_CERTIFICATION_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/csr.h"

namespace mc {
class CertificateAuthority;
}  // namespace mc

namespace mc::service {

// Whom, and for how long.
struct CertificationRules {
  const CertificateAuthority* authority = nullptr;
  // The authority of the identities that are certified.
  std::string trust_domain;
  absl::Duration lifetime = absl::Hours(24 * 30);
};

struct ClusterCertificate {
  std::string der;
  std::string serial;
  absl::Time not_after;
};

// A request that a cluster may make. Errors of ParseCsrDer and CheckClusterCsr.
absl::StatusOr<CsrInfo> CheckedCsr(std::string_view der);

// A certificate for client authentication by this key, from a little before
// `now` on: clusters whose clock is slow accept it at once.
absl::StatusOr<ClusterCertificate> Certify(const CertificationRules& rules,
                                           std::string_view cluster_id,
                                           std::string spki_der,
                                           absl::Time now);

// 256 random bits, as text.
std::string NewPassword();

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_CERTIFICATION_H_

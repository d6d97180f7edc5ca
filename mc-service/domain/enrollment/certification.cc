#include "mc-service/domain/enrollment/certification.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"

namespace mc::service {
namespace {

constexpr size_t kPasswordBytes = 32;
constexpr absl::Duration kBackdating = absl::Minutes(5);

}  // namespace

absl::StatusOr<CsrInfo> CheckedCsr(std::string_view der) {
  absl::StatusOr<CsrInfo> csr = ParseCsrDer(der);
  if (!csr.ok()) return csr;
  if (absl::Status allowed = CheckClusterCsr(*csr); !allowed.ok()) {
    return allowed;
  }
  return csr;
}

absl::StatusOr<ClusterCertificate> Certify(const CertificationRules& rules,
                                           std::string_view cluster_id,
                                           std::string spki_der,
                                           absl::Time now) {
  const absl::Time from = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  IssueSpec spec;
  spec.spki_der = std::move(spki_der);
  spec.uri_sans = {
      absl::StrCat("spiffe://", rules.trust_domain, "/cluster/",
                   absl::string_view(cluster_id.data(), cluster_id.size()))};
  spec.client_auth = true;
  spec.not_before = from - kBackdating;
  spec.not_after = from + rules.lifetime;
  absl::StatusOr<std::string> der = rules.authority->Issue(spec);
  if (!der.ok()) return der.status();
  absl::StatusOr<CertificateInfo> info = ParseCertificateDer(*der);
  if (!info.ok()) return info.status();
  return ClusterCertificate{.der = *std::move(der),
                            .serial = std::move(info->serial_hex),
                            .not_after = info->not_after};
}

std::string NewPassword() { return Base64Url(RandomBytes(kPasswordBytes)); }

}  // namespace mc::service

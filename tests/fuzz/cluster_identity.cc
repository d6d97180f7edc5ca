#include "tests/fuzz/cluster_identity.h"

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/status/status.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;

// The digest of the key that the cluster has at first.
const std::string& OwnKey() {
  static const auto& digest = *new std::string(
      Sha256(PrivateKey::FromPem(kClusterKey)->PublicSpkiDer()));
  return digest;
}

}  // namespace

void CheckRefusal(const absl::Status& status) {
  if (status.ok()) return;
  Require(ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED,
          "what is refused has a reason");
  for (const char* secret : {kLicenseKey, kPassword, kEnrollmentToken}) {
    Require(status.message().find(secret) == absl::string_view::npos,
            "errors hold no secret");
  }
}

Identity CheckCertificate(std::string_view certificate_der,
                          std::string_view request_der,
                          std::string_view cluster_id) {
  const auto certificate = ParseCertificateDer(certificate_der);
  const auto request = ParseCsrDer(request_der);
  Require(certificate.ok() && request.ok() && !certificate->is_ca &&
              certificate->spki_sha256 == Sha256(request->spki_der) &&
              certificate->uri_sans ==
                  std::vector<std::string>{"spiffe://example.com/cluster/" +
                                           std::string(cluster_id)},
          "a certificate is of the key and the cluster that asked");
  return {certificate->spki_sha256, certificate->serial_hex,
          certificate->not_after};
}

ClusterIdentity::ClusterIdentity(service::RenewalDesk* desk, absl::Time now)
    : desk_(desk),
      own_{OwnKey(), "01", now + absl::Hours(720)},
      used_{own_.digest},
      passwords_{kPassword} {}

absl::Status ClusterIdentity::Use(const Identity& identity) {
  return desk_->Admit({.cluster_id = kCluster,
                       .tls_key_digest = identity.digest,
                       .certificate_serial = identity.serial,
                       .not_after = identity.not_after});
}

void ClusterIdentity::Issued(const std::string& certificate,
                             const std::string& request,
                             const std::string& password) {
  issued_ = CheckCertificate(certificate, request, kCluster);
  Require(passwords_.insert(password).second, "every password is new");
}

void ClusterIdentity::Renew(const v1::RenewCertificateRequest& request) {
  const auto answer = desk_->Renew(kCluster, own_.digest, request);
  if (!answer.ok()) return CheckRefusal(answer.status());
  Issued(answer->cluster_certificate(), request.certificate_signing_request(),
         answer->password());
  follows_own_ = used_.count(issued_->digest) == 0;
  Require(Use(own_).ok(), "a key is good until the one that follows is used");
}

void ClusterIdentity::Recover(const v1::RecoverCertificateRequest& request) {
  const auto answer = desk_->Recover(request);
  if (!answer.ok()) return CheckRefusal(answer.status());
  Require(request.user_name() == absl::StrCat("cluster-", kCluster) &&
              passwords_.count(request.password()) > 0,
          "who recovers has the password");
  Issued(answer->cluster_certificate(), request.certificate_signing_request(),
         answer->password());
  follows_own_ = false;
}

void ClusterIdentity::Connect() {
  if (!issued_.has_value()) return;
  const Identity issued = *issued_;
  issued_.reset();
  const absl::Status used = Use(issued);
  if (!used.ok()) return CheckRefusal(used);
  Require(Use(issued).ok(), "a key that was used is good");
  Require(!follows_own_ || !Use(own_).ok(),
          "the use of a key is the end of the one before");
  own_ = issued;
  used_.insert(own_.digest);
}

}  // namespace mc::fuzz

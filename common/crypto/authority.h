// A small certificate authority: one P-256 key that issues leaf certificates.
#ifndef COMMON_CRYPTO_AUTHORITY_H_
#define COMMON_CRYPTO_AUTHORITY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/key.h"

namespace mc {

// What a leaf certificate says.
struct IssueSpec {
  // Whose key is certified, SubjectPublicKeyInfo in DER.
  std::string spki_der;
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  // In text form, for instance 127.0.0.1 or ::1.
  std::vector<std::string> ip_sans;
  bool client_auth = false;
  bool server_auth = false;
  // Whole seconds; not_after is the last second of validity.
  absl::Time not_before;
  absl::Time not_after;
  // At most 64 characters; empty: an empty subject.
  std::string common_name;
};

// Move-only; const use is thread-safe.
class CertificateAuthority {
 public:
  // A self-signed root (CA:true, path length 0, for signing certificates and
  // revocation lists only).
  static absl::StatusOr<CertificateAuthority> Create(
      std::string_view common_name, absl::Time not_before,
      absl::Time not_after);
  // INVALID_ARGUMENT: not readable, or no CA certificate. FAILED_PRECONDITION:
  // the key is not the certificate's.
  static absl::StatusOr<CertificateAuthority> Load(std::string_view cert_pem,
                                                   std::string_view key_pem);

  const std::string& cert_pem() const { return cert_pem_; }
  const std::string& cert_der() const { return cert_der_; }
  std::string key_pem() const { return key_.ToPem(); }

  // A leaf certificate in DER: a serial of 128 random bits, CA:false, for
  // digital signatures and the named purposes. Dates outside the authority's
  // own are cut to those. INVALID_ARGUMENT for a key, a name or dates that
  // cannot be certified.
  absl::StatusOr<std::string> Issue(const IssueSpec& spec) const;

 private:
  CertificateAuthority(PrivateKey key, std::string cert_der,
                       std::string cert_pem)
      : key_(std::move(key)),
        cert_der_(std::move(cert_der)),
        cert_pem_(std::move(cert_pem)) {}

  PrivateKey key_;
  std::string cert_der_;
  std::string cert_pem_;
};

}  // namespace mc

#endif  // COMMON_CRYPTO_AUTHORITY_H_

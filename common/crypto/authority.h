// A small certificate authority: one P-256 key that issues leaf certificates.
#ifndef COMMON_CRYPTO_AUTHORITY_H_
#define COMMON_CRYPTO_AUTHORITY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
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

// Move-only; everything else is thread-safe.
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

  // Of the key that issues now; as long-lived as this object.
  const std::string& cert_pem() const { return Current().cert_pem; }
  const std::string& cert_der() const { return Current().cert_der; }
  std::string key_pem() const { return Current().key.ToPem(); }

  // A leaf certificate in DER: a serial of 128 random bits, CA:false, for
  // digital signatures and the named purposes. Dates outside the authority's
  // own are cut to those. INVALID_ARGUMENT for a key, a name or dates that
  // cannot be certified.
  absl::StatusOr<std::string> Issue(const IssueSpec& spec) const;

  // From now on everything is issued with the key of `next`.
  void Replace(const CertificateAuthority& next);

  // The authority's certificate, in DER, with whose key this leaf was issued:
  // the current one, or one that was replaced since. Where it is none of them,
  // the current one.
  const std::string& IssuerOf(std::string_view leaf_der) const;

 private:
  struct Issuer {
    PrivateKey key;
    std::string cert_der;
    std::string cert_pem;
  };
  struct Issuers {
    mutable absl::Mutex mutex;
    // The current one last. None goes while the authority is there.
    std::vector<std::shared_ptr<const Issuer>> all ABSL_GUARDED_BY(mutex);
  };

  CertificateAuthority(PrivateKey key, std::string cert_der,
                       std::string cert_pem);

  const Issuer& Current() const;

  std::unique_ptr<Issuers> issuers_;
};

}  // namespace mc

#endif  // COMMON_CRYPTO_AUTHORITY_H_

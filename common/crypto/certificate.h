// X.509 certificates: reading them and checking that they fit.
#ifndef COMMON_CRYPTO_CERTIFICATE_H_
#define COMMON_CRYPTO_CERTIFICATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc {

struct CertificateInfo {
  // Lower case, without leading zero bytes.
  std::string serial_hex;
  absl::Time not_before;
  absl::Time not_after;
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  // In text form, for instance 127.0.0.1 or ::1.
  std::vector<std::string> ip_sans;
  // In the form of RFC 2253, for people.
  std::string issuer_name;
  std::string subject_name;
  bool is_ca = false;
  // SHA-256 of the SubjectPublicKeyInfo, 32 raw bytes.
  std::string spki_sha256;
  // For instance "RSA" or "EC", and its security strength by NIST SP 800-57:
  // 112 for RSA of 2048 bits, 128 for P-256.
  std::string key_type;
  int key_security_bits = 0;
  // Of the digest that its issuer signed, for instance "SHA256"; empty where
  // the algorithm has none of its own (Ed25519).
  std::string signature_digest;
};

// INVALID_ARGUMENT for what is no certificate, for bytes after it (DER), and
// for alternative names that are empty or hold NUL. Of PEM text the first
// certificate is read.
absl::StatusOr<CertificateInfo> ParseCertificateDer(std::string_view der);
absl::StatusOr<CertificateInfo> ParseCertificatePem(std::string_view pem);

// Only who a certificate is: serial number, dates, alternative names, is_ca and
// spki_sha256; the rest stays empty. A fraction of the work, for OpenSSL's
// decoding of the public key is most of it; so for certificates whose issuer's
// signature was verified. INVALID_ARGUMENT as above.
absl::StatusOr<CertificateInfo> ParseCertificateIdentityPem(
    std::string_view pem);

absl::StatusOr<std::string> CertificateDerToPem(std::string_view der);
// The first certificate of the text.
absl::StatusOr<std::string> CertificatePemToDer(std::string_view pem);
// Every certificate of the text, in its order; at least one.
absl::StatusOr<std::vector<std::string>> CertificateChainPemToDer(
    std::string_view pem);

// INVALID_ARGUMENT: one of them cannot be read. FAILED_PRECONDITION: the key
// is not that of the (first) certificate.
absl::Status CheckKeyMatchesCertificate(std::string_view cert_pem,
                                        std::string_view key_pem);

// Whether `issuer_der` names and signed `cert_der`: UNAUTHENTICATED if not.
// Dates and revocation are not looked at.
absl::Status VerifyIssuedBy(std::string_view cert_der,
                            std::string_view issuer_der);

}  // namespace mc

#endif  // COMMON_CRYPTO_CERTIFICATE_H_

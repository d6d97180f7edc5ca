// Certificate signing requests (PKCS #10, RFC 2986).
#ifndef COMMON_CRYPTO_CSR_H_
#define COMMON_CRYPTO_CSR_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/key.h"

namespace mc {

inline constexpr size_t kMaxCsrSize = 16 * 1024;

// A request with an empty subject and no extensions, signed by the key: the
// service decides which identity it certifies.
std::string BuildCsrDer(const PrivateKey& key);

struct CsrInfo {
  // SubjectPublicKeyInfo in DER.
  std::string spki_der;
  bool subject_empty = false;
  // basicConstraints with CA:true, or a keyUsage that signs certificates.
  bool asks_for_ca = false;
  // Any subjectAltName.
  bool has_san = false;
};

// Verifies the request's own signature and its kind of key. INVALID_ARGUMENT
// with CSR_MALFORMED (too large, not a request, bytes after it, wrong
// signature) or CSR_KEY_NOT_ALLOWED (neither EC P-256 nor P-384).
absl::StatusOr<CsrInfo> ParseCsrDer(std::string_view der);

// What a cluster may ask for. INVALID_ARGUMENT with CSR_IDENTITY_NOT_ALLOWED
// (a subject or alternative names) or CSR_CA_NOT_ALLOWED.
absl::Status CheckClusterCsr(const CsrInfo& info);

}  // namespace mc

#endif  // COMMON_CRYPTO_CSR_H_

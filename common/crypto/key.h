// Private keys: P-256 for TLS and CAs, Ed25519 for documents and sites.
#ifndef COMMON_CRYPTO_KEY_H_
#define COMMON_CRYPTO_KEY_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct evp_pkey_st;

namespace mc {

// Move-only; const use is thread-safe. OpenSSL clears the secret when it goes.
class PrivateKey {
 public:
  static PrivateKey GenerateP256();
  static PrivateKey GenerateEd25519();
  // PKCS #8 or the older forms, unencrypted. INVALID_ARGUMENT otherwise.
  static absl::StatusOr<PrivateKey> FromPem(std::string_view pem);

  // PKCS #8, unencrypted: to be kept in a file of mode 0600.
  std::string ToPem() const;
  // SubjectPublicKeyInfo in DER.
  std::string PublicSpkiDer() const;

  bool is_ed25519() const;
  // The raw public key, 32 bytes. For Ed25519 keys only: another kind is a
  // fault of the program and ends it; ask is_ed25519() after FromPem.
  std::string Ed25519Public() const;
  // Ed25519 (RFC 8032) over the bytes, 64 bytes. For Ed25519 keys only, too.
  std::string Sign(std::string_view bytes) const;

  // Stays owned by this object.
  evp_pkey_st* get() const { return key_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit PrivateKey(evp_pkey_st* key) : key_(key) {}

  std::unique_ptr<evp_pkey_st, Free> key_;
};

// UNAUTHENTICATED: the signature is not of this key over this message.
// INVALID_ARGUMENT: the public key is not 32 bytes of an Ed25519 key.
absl::Status VerifyEd25519(std::string_view raw_public,
                           std::string_view message,
                           std::string_view signature);

}  // namespace mc

#endif  // COMMON_CRYPTO_KEY_H_

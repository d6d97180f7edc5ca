// Proof that somebody still holds the key of a certificate that is good no
// more: a signature of that key over what the proof is for.
#ifndef COMMON_CRYPTO_POSSESSION_H_
#define COMMON_CRYPTO_POSSESSION_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/crypto/key.h"

namespace mc {

// ECDSA with SHA-256 (FIPS 186-5), in DER. For the keys of TLS certificates
// only: an Ed25519 key is a fault of the program and ends it.
std::string ProvePossession(const PrivateKey& key, std::string_view bytes);

// UNAUTHENTICATED: the signature is not by the certificate's key over these
// bytes. INVALID_ARGUMENT: no certificate, or one of another kind of key. Who
// issued it, and when, is not looked at.
absl::Status VerifyPossession(std::string_view certificate_der,
                              std::string_view bytes,
                              std::string_view signature);

}  // namespace mc

#endif  // COMMON_CRYPTO_POSSESSION_H_

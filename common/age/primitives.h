// The primitives of age's format, for the files of this folder.
#ifndef COMMON_AGE_PRIMITIVES_H_
#define COMMON_AGE_PRIMITIVES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace mc::age {

inline constexpr size_t kNonceBytes = 12;
inline constexpr size_t kTagBytes = 16;
using Nonce = std::array<unsigned char, kNonceBytes>;

inline unsigned char* Data(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}
inline const unsigned char* Data(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string HkdfSha256(std::string_view key, std::string_view salt,
                       std::string_view info);
std::string HmacSha256(std::string_view key, std::string_view message);

std::string PublicKeyOf(std::string_view private_key);
// INVALID_ARGUMENT: the public key is none.
absl::StatusOr<std::string> X25519(std::string_view private_key,
                                   std::string_view public_key);

// ChaCha20-Poly1305; the tag follows the text.
std::string Seal(std::string_view key, const Nonce& nonce,
                 std::string_view text);
// Absent: the key is another, or a byte was changed.
std::optional<std::string> Open(std::string_view key, const Nonce& nonce,
                                std::string_view sealed);

// Without padding.
std::string Base64(std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace mc::age

#endif  // COMMON_AGE_PRIMITIVES_H_

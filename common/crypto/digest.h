// Digests, random values and their text forms.
//
// Everything here is thread-safe, except that one Sha256Stream belongs to one
// thread at a time. Random values come from OpenSSL's generator; a system that
// has no randomness ends the process, for nothing here could go on safely.
#ifndef COMMON_CRYPTO_DIGEST_H_
#define COMMON_CRYPTO_DIGEST_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_md_ctx_st;

namespace mc {

inline constexpr size_t kSha256Size = 32;

// SHA-256 (FIPS 180-4), 32 raw bytes.
std::string Sha256(std::string_view bytes);

// SHA-256 of something that comes in pieces, for instance a file.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) = default;
  Sha256Stream& operator=(Sha256Stream&&) = default;

  void Update(std::string_view bytes);
  // 32 raw bytes of everything since the construction or the last Finish;
  // afterwards it starts anew.
  std::string Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Lower-case hexadecimal.
std::string Hex(std::string_view bytes);
// Takes both cases. INVALID_ARGUMENT for an odd length or another character.
absl::StatusOr<std::string> FromHex(std::string_view hex);
// RFC 4648 section 5, without padding.
std::string Base64Url(std::string_view bytes);

std::string RandomBytes(size_t size);
// RFC 4122 version 4, lower case.
std::string RandomUuid();
// Whether it is what RandomUuid makes: lower-case 8-4-4-4-12, version 4,
// variant 10.
bool IsUuid(std::string_view text);

// Compares in a time that depends on the lengths alone; for secrets.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace mc

#endif  // COMMON_CRYPTO_DIGEST_H_

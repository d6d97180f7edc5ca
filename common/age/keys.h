// Keys of encrypted files: X25519, as age or OpenSSL makes them.
#ifndef COMMON_AGE_KEYS_H_
#define COMMON_AGE_KEYS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace mc::age {

inline constexpr size_t kKeyBytes = 32;

// Whom a file is encrypted to.
class Recipient {
 public:
  // "age1...", alone on a line, or a public key in PEM; lines that begin with
  // '#' are comments. INVALID_ARGUMENT: there is no such key, or more than one.
  static absl::StatusOr<Recipient> Parse(std::string_view text);

  // The 32 bytes of the public key.
  const std::string& bytes() const { return bytes_; }

 private:
  friend class Identity;
  explicit Recipient(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

// Who can decrypt it: keep it secret.
class Identity {
 public:
  // "AGE-SECRET-KEY-1...", alone on a line, or a private key in PEM without a
  // password; lines that begin with '#' are comments. INVALID_ARGUMENT.
  static absl::StatusOr<Identity> Parse(std::string_view text);

  const Recipient& recipient() const { return recipient_; }
  const std::string& bytes() const { return bytes_; }

 private:
  Identity(std::string bytes, Recipient recipient)
      : bytes_(std::move(bytes)), recipient_(std::move(recipient)) {}
  std::string bytes_;
  Recipient recipient_;
};

}  // namespace mc::age

#endif  // COMMON_AGE_KEYS_H_

// License keys: MC-XXXX-XXXX-XXXX-XXXX-XXXX-XXXX-XXXX.
//
// Seven groups of four digits of Crockford's base 32 (0-9 and A-Z without I, L,
// O, U): 140 random bits. A key is a secret; it is shown once, kept as its
// digest, and masked wherever it appears.
#ifndef COMMON_CRYPTO_LICENSE_KEY_H_
#define COMMON_CRYPTO_LICENSE_KEY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace mc {

std::string GenerateLicenseKey();

// INVALID_ARGUMENT (LICENSE_KEY_MALFORMED); the message never holds the key.
absl::Status CheckLicenseKey(std::string_view key);

// "MC-****-****-****-****-****-****-ABCD". What is no license key is masked
// altogether.
std::string MaskLicenseKey(std::string_view key);
// The same from the last group alone ("ABCD").
std::string MaskedFromLastGroup(std::string_view last_group);
// The last group of a well-formed key, empty for anything else.
std::string LicenseKeyLastGroup(std::string_view key);

// SHA-256 of the key's characters, 32 raw bytes: what is stored and looked up.
std::string LicenseKeyDigest(std::string_view key);

}  // namespace mc

#endif  // COMMON_CRYPTO_LICENSE_KEY_H_

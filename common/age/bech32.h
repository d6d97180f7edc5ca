// Bech32 (BIP 173), as age writes its keys.
#ifndef COMMON_AGE_BECH32_H_
#define COMMON_AGE_BECH32_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace mc::age {

struct Bech32 {
  // Lower case, for instance "age".
  std::string prefix;
  std::string bytes;
};

// INVALID_ARGUMENT: not of this form, or its checksum is wrong.
absl::StatusOr<Bech32> DecodeBech32(std::string_view text);

}  // namespace mc::age

#endif  // COMMON_AGE_BECH32_H_

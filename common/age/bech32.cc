#include "common/age/bech32.h"

#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"

namespace mc::age {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kChecksum = 6;

absl::Status Wrong() {
  return absl::InvalidArgumentError("this is no key of age: a letter is wrong");
}

// BIP 173, "Checksum".
uint32_t Polymod(const std::vector<uint8_t>& values) {
  constexpr uint32_t kGenerator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                     0x3d4233dd, 0x2a1462b3};
  uint32_t sum = 1;
  for (const uint8_t value : values) {
    const uint32_t top = sum >> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    for (int i = 0; i < 5; ++i) {
      if ((top >> i & 1) != 0) sum ^= kGenerator[i];
    }
  }
  return sum;
}

}  // namespace

absl::StatusOr<Bech32> DecodeBech32(std::string_view text) {
  const std::string lower =
      absl::AsciiStrToLower(absl::string_view(text.data(), text.size()));
  const std::string upper =
      absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
  if (text != lower && text != upper) return Wrong();
  const size_t separator = lower.rfind('1');
  if (separator == std::string::npos || separator == 0 ||
      lower.size() < separator + 1 + kChecksum) {
    return Wrong();
  }
  Bech32 result{lower.substr(0, separator), ""};
  std::vector<uint8_t> checked;
  for (const char c : result.prefix) checked.push_back(c >> 5);
  checked.push_back(0);
  for (const char c : result.prefix) checked.push_back(c & 31);
  uint32_t bits = 0;
  int count = 0;
  for (size_t i = separator + 1; i < lower.size(); ++i) {
    const size_t value = kAlphabet.find(lower[i]);
    if (value == std::string_view::npos) return Wrong();
    checked.push_back(static_cast<uint8_t>(value));
    if (i + kChecksum >= lower.size()) continue;
    bits = (bits << 5 | static_cast<uint32_t>(value)) & 0xfff;
    count += 5;
    if (count >= 8) {
      count -= 8;
      result.bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  if (Polymod(checked) != 1 || count >= 5 ||
      (bits & ((1U << count) - 1)) != 0) {
    return Wrong();
  }
  return result;
}

}  // namespace mc::age

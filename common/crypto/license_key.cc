#include "common/crypto/license_key.h"

#include <cstdint>

#include "common/crypto/digest.h"
#include "common/status/status.h"

namespace mc {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::string_view kPrefix = "MC";
constexpr size_t kGroups = 7;
constexpr size_t kGroupSize = 4;
constexpr size_t kKeySize = kPrefix.size() + kGroups * (1 + kGroupSize);

bool IsLicenseKey(std::string_view key) {
  if (key.size() != kKeySize || !key.starts_with(kPrefix)) return false;
  key.remove_prefix(kPrefix.size());
  for (size_t i = 0; i < key.size(); ++i) {
    if (i % (1 + kGroupSize) == 0) {
      if (key[i] != '-') return false;
    } else if (kDigits.find(key[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string GenerateLicenseKey() {
  // Five bits of each byte: 256 is a multiple of 32, so no digit is favored.
  const std::string random = RandomBytes(kGroups * kGroupSize);
  std::string key(kPrefix);
  for (size_t i = 0; i < random.size(); ++i) {
    if (i % kGroupSize == 0) key += '-';
    key += kDigits[static_cast<uint8_t>(random[i]) % kDigits.size()];
  }
  return key;
}

absl::Status CheckLicenseKey(std::string_view key) {
  if (IsLicenseKey(key)) return absl::OkStatus();
  return Error(
      absl::StatusCode::kInvalidArgument,
      missioncontrol::v1::ERROR_REASON_LICENSE_KEY_MALFORMED,
      "this is no license key; it has the form MC- and seven groups of four "
      "characters, in capitals");
}

std::string MaskedFromLastGroup(std::string_view last_group) {
  std::string masked(kPrefix);
  for (size_t i = 1; i < kGroups; ++i) masked += "-****";
  masked += '-';
  masked += last_group;
  return masked;
}

std::string LicenseKeyLastGroup(std::string_view key) {
  if (!IsLicenseKey(key)) return "";
  return std::string(key.substr(key.size() - kGroupSize));
}

std::string MaskLicenseKey(std::string_view key) {
  const std::string last = LicenseKeyLastGroup(key);
  return MaskedFromLastGroup(last.empty() ? "****" : last);
}

std::string LicenseKeyDigest(std::string_view key) { return Sha256(key); }

}  // namespace mc

#include "common/crypto/license_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/crypto/digest.h"
#include "common/status/status.h"

namespace mc {
namespace {

constexpr char kKey[] = "MC-0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV";

TEST(LicenseKey, GeneratedKeysAreWellFormedAndDiffer) {
  std::set<std::string> seen;
  std::set<char> digits;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = GenerateLicenseKey();
    EXPECT_TRUE(CheckLicenseKey(key).ok()) << key;
    EXPECT_TRUE(seen.insert(key).second) << key;
    digits.insert(key.begin() + 2, key.end());
  }
  // All 32 digits and the dash: five bits for each of 28 places.
  EXPECT_EQ(digits.size(), 33u);
}

TEST(LicenseKey, OtherFormsAreRefusedWithoutBeingRepeated) {
  EXPECT_TRUE(CheckLicenseKey(kKey).ok());
  for (const std::string& bad :
       {std::string(), std::string("MC-"), std::string(kKey) + "W",
        std::string(kKey, 36),
        std::string("mc-0123-4567-89AB-CDEF-GHJK-MNPQ-"
                    "RSTV"),
        std::string("MC-0123-4567-89AB-CDEF-GHJK-MNPQ-RSTU"),
        std::string("MC-0123-4567-89ab-CDEF-GHJK-MNPQ-RSTV"),
        std::string("MC-01234567-89AB-CDEF-GHJK-MNPQ-RSTV-"),
        std::string("MC-0123-4567-89AB-CDEF-GHJK-MNPQ-RST\0", 37)}) {
    const absl::Status refused = CheckLicenseKey(bad);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(ReasonOf(refused),
              missioncontrol::v1::ERROR_REASON_LICENSE_KEY_MALFORMED);
    EXPECT_EQ(refused.message().find("4567"), absl::string_view::npos);
  }
}

TEST(LicenseKey, MaskShowsTheLastGroupOnly) {
  EXPECT_EQ(MaskLicenseKey(kKey), "MC-****-****-****-****-****-****-RSTV");
  EXPECT_EQ(MaskedFromLastGroup("RSTV"), MaskLicenseKey(kKey));
  EXPECT_EQ(LicenseKeyLastGroup(kKey), "RSTV");
  EXPECT_EQ(MaskLicenseKey("secret"), "MC-****-****-****-****-****-****-****");
}

TEST(LicenseKey, DigestIsSha256) {
  EXPECT_EQ(LicenseKeyDigest(kKey), Sha256(kKey));
}

}  // namespace
}  // namespace mc

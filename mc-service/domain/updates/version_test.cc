#include "mc-service/domain/updates/version.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace mc::service {
namespace {

TEST(Version, OrderIsTotal) {
  // From the oldest to the newest.
  constexpr std::string_view kOrdered[] = {
      "0",
      "0.0.1",
      "1.0-alpha",
      "1.0-alpha.1",
      "1.0-alpha.beta",
      "1.0-beta",
      "1.0-beta.2",
      "1.0-beta.11",
      "1.0-rc.1",
      "1.0",
      "1.0.1",
      "1.2",
      "1.10",
      "1.10.0.1",
      "1.302.45.20240101-123456",
      "1.302.45.20240101",
      "2~rc1",
      "2",
      // Beyond 64 bits.
      "2.18446744073709551616",
      "2.18446744073709551617",
      "10",
      "dev",
  };
  for (size_t i = 0; i < std::size(kOrdered); ++i) {
    for (size_t j = 0; j < std::size(kOrdered); ++j) {
      const int order = CompareVersions(kOrdered[i], kOrdered[j]);
      EXPECT_EQ(order < 0, i < j) << kOrdered[i] << " and " << kOrdered[j];
      EXPECT_EQ(order == 0, i == j) << kOrdered[i] << " and " << kOrdered[j];
    }
  }
}

TEST(Version, DifferentSpellingsAreEquallyOld) {
  EXPECT_EQ(CompareVersions("1.2", "1.2.0.0"), 0);
  EXPECT_EQ(CompareVersions("1.02", "1.2"), 0);
  EXPECT_EQ(CompareVersions("1.0+linux", "1.0+windows"), 0);
  EXPECT_EQ(CompareVersions("1.0+a-b", "1.0"), 0)
      << "a dash in the build starts no pre-release";
  EXPECT_EQ(CompareVersions("1.0-rc", "1.0~rc"), 0);
  EXPECT_EQ(CompareVersions("", ""), 0);
}

TEST(Version, AReleaseHasNumbers) {
  for (const char* good : {"1", "1.2.3", "1.302.45.20240101-123456",
                           "1.0-rc.1+build.5", "2~rc1", "1+a-b"}) {
    EXPECT_TRUE(IsReleaseVersion(good)) << good;
  }
  for (const char* bad : {"", "v1", "dev", "1.", ".1", "1..2", "1-", "1+",
                          "1.0-rc 1", "1.0+a+b", "1.a", "-1", "1.0/2"}) {
    EXPECT_FALSE(IsReleaseVersion(bad)) << bad;
  }
  EXPECT_TRUE(IsReleaseVersion(std::string(64, '1')));
  EXPECT_FALSE(IsReleaseVersion(std::string(65, '1')));
}

}  // namespace
}  // namespace mc::service

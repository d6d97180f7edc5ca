#include "common/crypto/digest.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mc {
namespace {

TEST(Digest, Sha256GivesTheStandardsVectors) {
  EXPECT_EQ(Hex(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, StreamOfPiecesEqualsTheWhole) {
  Sha256Stream stream;
  stream.Update("a");
  stream.Update("");
  stream.Update("bc");
  EXPECT_EQ(stream.Finish(), Sha256("abc"));
  EXPECT_EQ(stream.Finish(), Sha256(""));
}

TEST(Digest, HexGoesBothWaysAndRefusesWhatIsNotHex) {
  const std::string bytes("\x00\x7f\xff\x10", 4);
  EXPECT_EQ(Hex(bytes), "007fff10");
  EXPECT_EQ(*FromHex("007fFF10"), bytes);
  EXPECT_FALSE(FromHex("0").ok());
  EXPECT_FALSE(FromHex("0g").ok());
}

TEST(Digest, Base64UrlHasNoPadding) {
  EXPECT_EQ(Base64Url(""), "");
  EXPECT_EQ(Base64Url("f"), "Zg");
  EXPECT_EQ(Base64Url("fo"), "Zm8");
  EXPECT_EQ(Base64Url("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64Url("\xff\xfe\xfb"), "__77");
  EXPECT_EQ(Base64Url(std::string(4, '\0')), "AAAAAA");
}

TEST(Digest, RandomUuidsAreUuidsAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = RandomUuid();
    EXPECT_TRUE(IsUuid(uuid)) << uuid;
    EXPECT_TRUE(seen.insert(uuid).second) << uuid;
  }
}

TEST(Digest, OnlyLowerCaseVersionFourIsAUuid) {
  EXPECT_TRUE(IsUuid("0f8fad5b-d9cb-469f-a165-70867728950e"));
  EXPECT_FALSE(IsUuid("0F8FAD5B-D9CB-469F-A165-70867728950E"));
  EXPECT_FALSE(IsUuid("0f8fad5b-d9cb-169f-a165-70867728950e"));
  EXPECT_FALSE(IsUuid("0f8fad5b-d9cb-469f-c165-70867728950e"));
  EXPECT_FALSE(IsUuid("0f8fad5bd-9cb-469f-a165-70867728950e"));
  EXPECT_FALSE(IsUuid("0f8fad5b-d9cb-469f-a165-70867728950"));
  EXPECT_FALSE(IsUuid("{f8fad5b-d9cb-469f-a165-70867728950}"));
  EXPECT_FALSE(IsUuid(""));
}

TEST(Digest, ConstantTimeEqualComparesContentAndLength) {
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_TRUE(ConstantTimeEqual("secret", "secret"));
  EXPECT_FALSE(ConstantTimeEqual("secret", "secreT"));
  EXPECT_FALSE(ConstantTimeEqual("secret", "secre"));
}

}  // namespace
}  // namespace mc

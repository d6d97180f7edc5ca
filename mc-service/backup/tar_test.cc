#include "mc-service/backup/tar.h"

#include <gtest/gtest.h>

#include <string>

namespace mc::service {
namespace {

TEST(Tar, HeadersComeBack) {
  for (const int64_t size :
       {int64_t{0}, int64_t{511}, int64_t{1} << 33, int64_t{5} << 40}) {
    const auto block = TarHeader({.name = "ca/server-ca.key",
                                  .size = size,
                                  .modified_at = absl::FromUnixSeconds(99)});
    ASSERT_TRUE(block.ok());
    ASSERT_EQ(block->size(), kTarBlock);
    const auto entry = ParseTarHeader(*block);
    ASSERT_TRUE(entry.ok()) << entry.status();
    EXPECT_EQ((*entry)->name, "ca/server-ca.key");
    EXPECT_EQ((*entry)->size, size);
    EXPECT_EQ((*entry)->modified_at, absl::FromUnixSeconds(99));
  }
}

TEST(Tar, NamesThatLeadElsewhereAreRefused) {
  for (const std::string name :
       {"", "/etc/passwd", "../x", "a/../../x", "a//b", "./a"}) {
    EXPECT_FALSE(IsPlainName(name)) << name;
    EXPECT_FALSE(TarHeader({.name = name, .size = 1, .modified_at = {}}).ok());
  }
  EXPECT_FALSE(IsPlainName(std::string(100, 'a')));
  EXPECT_TRUE(IsPlainName("keys/documents.key"));
}

TEST(Tar, WhatIsNoHeaderIsRefused) {
  std::string block = *TarHeader({.name = "a", .size = 1, .modified_at = {}});
  block[0] = 'b';
  EXPECT_TRUE(absl::IsDataLoss(ParseTarHeader(block).status()));
  // A symbolic link.
  block = *TarHeader({.name = "a", .size = 1, .modified_at = {}});
  block[156] = '2';
  EXPECT_TRUE(absl::IsDataLoss(ParseTarHeader(block).status()));
  EXPECT_FALSE(ParseTarHeader(TarEnd().substr(kTarBlock))->has_value());
}

}  // namespace
}  // namespace mc::service

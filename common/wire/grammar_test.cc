#include "common/wire/grammar.h"

#include <gtest/gtest.h>

#include <string>

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

bool Obeys(v1::Format format, std::string_view text) {
  return FormatProblem(format, text) == nullptr;
}

TEST(Grammar, EmptyObeysEveryFormat) {
  for (int f = v1::FORMAT_ID; f <= v1::FORMAT_FREE_TEXT; ++f) {
    EXPECT_TRUE(Obeys(static_cast<v1::Format>(f), ""));
  }
}

TEST(Grammar, Id) {
  EXPECT_TRUE(Obeys(v1::FORMAT_ID, "0"));
  EXPECT_TRUE(Obeys(v1::FORMAT_ID, "aZ9._:-"));
  EXPECT_TRUE(Obeys(v1::FORMAT_ID, std::string(128, 'a')));
  EXPECT_FALSE(Obeys(v1::FORMAT_ID, std::string(129, 'a')));
  EXPECT_FALSE(Obeys(v1::FORMAT_ID, "-a"));
  EXPECT_FALSE(Obeys(v1::FORMAT_ID, "a/b"));
  EXPECT_FALSE(Obeys(v1::FORMAT_ID, "a b"));
  EXPECT_FALSE(Obeys(v1::FORMAT_ID, "a\xc3\xa4"));
  EXPECT_FALSE(Obeys(v1::FORMAT_ID, std::string("a\0", 2)));
}

TEST(Grammar, Version) {
  EXPECT_TRUE(Obeys(v1::FORMAT_VERSION, "1.2.3-4+b~rc_1"));
  EXPECT_TRUE(Obeys(v1::FORMAT_VERSION, std::string(64, '1')));
  EXPECT_FALSE(Obeys(v1::FORMAT_VERSION, std::string(65, '1')));
  EXPECT_FALSE(Obeys(v1::FORMAT_VERSION, ".1"));
  EXPECT_FALSE(Obeys(v1::FORMAT_VERSION, "1:2"));
}

TEST(Grammar, TimeZone) {
  EXPECT_TRUE(Obeys(v1::FORMAT_TIME_ZONE, "America/Argentina/Buenos_Aires"));
  EXPECT_TRUE(Obeys(v1::FORMAT_TIME_ZONE, "Etc/GMT+3"));
  EXPECT_FALSE(Obeys(v1::FORMAT_TIME_ZONE, "Europe Vienna"));
  EXPECT_FALSE(Obeys(v1::FORMAT_TIME_ZONE, "../etc"));
  EXPECT_FALSE(Obeys(v1::FORMAT_TIME_ZONE, std::string(65, 'A')));
}

TEST(Grammar, Token) {
  EXPECT_TRUE(Obeys(v1::FORMAT_TOKEN, "!~" + std::string(510, 'x')));
  EXPECT_FALSE(Obeys(v1::FORMAT_TOKEN, std::string(513, 'x')));
  EXPECT_FALSE(Obeys(v1::FORMAT_TOKEN, "a b"));
  EXPECT_FALSE(Obeys(v1::FORMAT_TOKEN, "a\x7f"));
}

TEST(Grammar, Opaque) {
  EXPECT_TRUE(Obeys(v1::FORMAT_OPAQUE, std::string(64 * 1024, '\0')));
  EXPECT_FALSE(Obeys(v1::FORMAT_OPAQUE, std::string(64 * 1024 + 1, '\0')));
}

TEST(Grammar, FreeTextCountsCharactersAndHasNoControls) {
  std::string umlauts;
  for (int i = 0; i < 1024; ++i) umlauts += "\xc3\xa4";
  EXPECT_TRUE(Obeys(v1::FORMAT_FREE_TEXT, umlauts));
  EXPECT_FALSE(Obeys(v1::FORMAT_FREE_TEXT, umlauts + "a"));
  EXPECT_TRUE(Obeys(v1::FORMAT_FREE_TEXT, "a b, c\xc2\xa0"));
  EXPECT_FALSE(Obeys(v1::FORMAT_FREE_TEXT, "a\nb"));
  EXPECT_FALSE(Obeys(v1::FORMAT_FREE_TEXT, "a\x7f"));
  EXPECT_FALSE(Obeys(v1::FORMAT_FREE_TEXT, "a\xc2\x85"));
  EXPECT_FALSE(Obeys(v1::FORMAT_FREE_TEXT, std::string("a\0b", 3)));
}

TEST(Grammar, UnknownFormatIsNeverObeyed) {
  EXPECT_FALSE(Obeys(v1::FORMAT_UNSPECIFIED, "a"));
}

}  // namespace
}  // namespace mc

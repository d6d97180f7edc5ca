#include "mc-service/domain/fleet/page_token.h"

#include <gtest/gtest.h>

#include "common/status/status.h"

namespace mc::service {
namespace {

TEST(PageToken, LeadsToItsPosition) {
  const std::string token = MakePageToken("accounts", 42);
  const auto page = ParsePage("accounts", 10, token);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->after, 42);
  EXPECT_EQ(page->limit, 10);
}

TEST(PageToken, TheLastPageHasNone) {
  EXPECT_EQ(MakePageToken("accounts", std::nullopt), "");
  EXPECT_EQ(ParsePage("accounts", 0, "")->after, 0);
  EXPECT_EQ(ParsePage("accounts", 0, "")->limit, kDefaultPageSize);
}

TEST(PageToken, OfAnotherListingOrGarbageIsRefused) {
  for (const std::string& token :
       {MakePageToken("licenses", 42), std::string("42"), std::string("."),
        std::string("-1.00"), std::string("nonsense"),
        "43" + MakePageToken("accounts", 42).substr(2)}) {
    EXPECT_EQ(ReasonOf(ParsePage("accounts", 0, token).status()),
              missioncontrol::v1::ERROR_REASON_INVALID_FIELD)
        << token;
  }
}

TEST(NamePageToken, LeadsToItsName) {
  const std::string token = MakeNamePageToken("operators", "anna.b-2");
  const auto page = ParseNamePage("operators", 10, token);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->after, "anna.b-2");
  EXPECT_EQ(page->limit, 10);
  EXPECT_EQ(ParseNamePage("operators", 0, "")->after, "");
  EXPECT_FALSE(ParseNamePage("others", 10, token).ok());
  EXPECT_FALSE(ParseNamePage("operators", 10, "b" + token.substr(1)).ok());
  EXPECT_FALSE(ParseNamePage("operators", -1, token).ok());
}

TEST(PageToken, SizesOutOfBoundsAreRefused) {
  EXPECT_FALSE(ParsePage("accounts", -1, "").ok());
  EXPECT_FALSE(ParsePage("accounts", kMaxPageSize + 1, "").ok());
  EXPECT_TRUE(ParsePage("accounts", kMaxPageSize, "").ok());
}

}  // namespace
}  // namespace mc::service

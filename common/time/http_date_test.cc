#include "common/time/http_date.h"

#include "gtest/gtest.h"

namespace mc {
namespace {

TEST(HttpDate, IsReadAsItIsWritten) {
  const absl::Time time = absl::FromUnixSeconds(784111777);
  EXPECT_EQ(HttpDate(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(ParseHttpDate(HttpDate(time)), time);
  EXPECT_EQ(ParseHttpDate("yesterday"), absl::InfinitePast());
}

TEST(HttpDate, HasOneForm) {
  for (const char* text :
       {"infinite-future", "Mon, 06 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(ParseHttpDate(text), absl::InfinitePast()) << text;
  }
}

}  // namespace
}  // namespace mc

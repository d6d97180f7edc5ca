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

}  // namespace
}  // namespace mc

#include "mc-service/api/report_shares.h"

#include <gmock/gmock.h>

#include <vector>

namespace mc::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ReportShares, ClusterHasItsShareWhateverOthersTake) {
  ReportShares shares(2);
  EXPECT_TRUE(shares.Take("greedy"));
  EXPECT_TRUE(shares.Take("greedy"));
  EXPECT_FALSE(shares.Take("greedy"));
  EXPECT_TRUE(shares.Take("modest"));
  shares.Release("greedy");
  EXPECT_TRUE(shares.Take("greedy"));
}

TEST(ReportShares, WhoWaitsGetsAReleasedPlaceInTurn) {
  ReportShares shares(1);
  std::vector<int> resumed;
  const auto wait = [&](int number) {
    shares.TakeOrWait("c", [&, number] { resumed.push_back(number); });
  };
  wait(0);
  EXPECT_THAT(resumed, ElementsAre(0));
  wait(1);
  wait(2);
  EXPECT_THAT(resumed, ElementsAre(0));
  shares.Release("c");
  EXPECT_THAT(resumed, ElementsAre(0, 1));
  // Its place is taken: a newcomer waits behind the second one.
  wait(3);
  shares.Release("c");
  shares.Release("c");
  EXPECT_THAT(resumed, ElementsAre(0, 1, 2, 3));
  shares.Release("c");
  EXPECT_TRUE(shares.Take("c"));
}

TEST(ReportShares, ResumedOneMayReleaseAtOnce) {
  ReportShares shares(1);
  int resumed = 0;
  EXPECT_TRUE(shares.Take("c"));
  for (int i = 0; i < 3; ++i) {
    shares.TakeOrWait("c", [&] {
      ++resumed;
      shares.Release("c");
    });
  }
  shares.Release("c");
  EXPECT_EQ(resumed, 3);
}

}  // namespace
}  // namespace mc::service

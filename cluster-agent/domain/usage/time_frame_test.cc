#include "cluster-agent/domain/usage/time_frame.h"

#include <gtest/gtest.h>

namespace mc::agent {
namespace {

// 2026-05-04T10:00:00Z
const absl::Time kTen = absl::FromUnixSeconds(1777888800);

TEST(TimeFrame, LengthMustDivideAnHour) {
  EXPECT_TRUE(CheckFrameLength(absl::Hours(1)).ok());
  EXPECT_TRUE(CheckFrameLength(absl::Seconds(30)).ok());
  EXPECT_TRUE(CheckFrameLength(absl::Seconds(1)).ok());
  EXPECT_FALSE(CheckFrameLength(absl::Seconds(7)).ok());
  EXPECT_FALSE(CheckFrameLength(absl::Hours(2)).ok());
  EXPECT_FALSE(CheckFrameLength(absl::Milliseconds(500)).ok());
  EXPECT_FALSE(CheckFrameLength(absl::Milliseconds(1500)).ok());
  EXPECT_FALSE(CheckFrameLength(absl::ZeroDuration()).ok());
  EXPECT_FALSE(CheckFrameLength(-absl::Seconds(30)).ok());
  EXPECT_FALSE(CheckFrameLength(absl::InfiniteDuration()).ok());
}

TEST(TimeFrame, StartIsInsideAndEndIsNot) {
  const TimeFrame frame = {kTen, kTen + absl::Seconds(30)};
  EXPECT_EQ(FrameOf(kTen, absl::Seconds(30)), frame);
  EXPECT_EQ(FrameOf(frame.end - absl::Nanoseconds(1), absl::Seconds(30)),
            frame);
  EXPECT_EQ(FrameOf(frame.end, absl::Seconds(30)).start, frame.end);
}

TEST(TimeFrame, NeverCrossesAnHour) {
  for (const int seconds : {1, 30, 45, 60, 900, 3600}) {
    const absl::Duration length = absl::Seconds(seconds);
    for (int i = 0; i < 3 * 3600; i += 7) {
      const TimeFrame frame = FrameOf(kTen + absl::Seconds(i), length);
      EXPECT_EQ(FrameOf(frame.start, absl::Hours(1)),
                FrameOf(frame.end - absl::Nanoseconds(1), absl::Hours(1)));
    }
  }
}

TEST(TimeFrame, IntervalIsSplitAtEveryFramesEdge) {
  const absl::Time start = kTen - absl::Seconds(10);
  const auto pieces =
      SplitIntoFrames({start, kTen + absl::Seconds(40)}, absl::Seconds(30));
  ASSERT_EQ(pieces.size(), 3);
  EXPECT_EQ(pieces[0], (TimeFrame{start, kTen}));
  EXPECT_EQ(pieces[1], (TimeFrame{kTen, kTen + absl::Seconds(30)}));
  EXPECT_EQ(pieces[2],
            (TimeFrame{kTen + absl::Seconds(30), kTen + absl::Seconds(40)}));
  EXPECT_TRUE(SplitIntoFrames({kTen, kTen}, absl::Hours(1)).empty());
}

TEST(TimeFrame, UnionHasNoOverlapsAndJoinsNeighbors) {
  const auto at = [](int second) { return kTen + absl::Seconds(second); };
  const auto united = Union({{at(50), at(60)},
                             {at(0), at(10)},
                             {at(10), at(20)},
                             {at(5), at(7)},
                             {at(30), at(30)},
                             {at(55), at(58)}});
  ASSERT_EQ(united.size(), 2);
  EXPECT_EQ(united[0], (TimeFrame{at(0), at(20)}));
  EXPECT_EQ(united[1], (TimeFrame{at(50), at(60)}));
}

}  // namespace
}  // namespace mc::agent

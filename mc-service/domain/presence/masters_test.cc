#include "mc-service/domain/presence/masters.h"

#include <gtest/gtest.h>

namespace mc::service {
namespace {

using Verdict = Masters::Verdict;

constexpr absl::Duration kWindow = absl::Minutes(3);

class MastersTest : public testing::Test {
 protected:
  Verdict Speaks(std::string_view instance,
                 absl::Duration later = absl::Minutes(1)) {
    return masters_.Speaks(instance, now_ += later, kWindow);
  }
  bool Suspected() const { return masters_.Suspected(now_, kWindow); }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  Masters masters_;
};

TEST_F(MastersTest, RestartsAndHandOversAreNoClones) {
  for (const char* instance : {"a", "b", "c", "d", "e", "f"}) {
    EXPECT_EQ(Speaks(instance), Verdict::kUsual);
    EXPECT_EQ(Speaks(instance), Verdict::kUsual) << "it has reconnected";
    EXPECT_EQ(masters_.instance(), instance);
  }
  EXPECT_FALSE(Suspected());
  EXPECT_EQ(masters_.suspected_at(), absl::InfinitePast());
}

TEST_F(MastersTest, TwoInTurnAreOneOccurrence) {
  EXPECT_EQ(Speaks("a"), Verdict::kUsual);
  EXPECT_EQ(Speaks("b"), Verdict::kUsual);
  EXPECT_EQ(Speaks("a"), Verdict::kCloneBegins);
  EXPECT_EQ(masters_.suspected_at(), now_);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Speaks("b"), Verdict::kCloneGoesOn);
    EXPECT_EQ(Speaks("a"), Verdict::kCloneGoesOn);
  }
  EXPECT_TRUE(Suspected());
  EXPECT_EQ(masters_.suspects(), (std::vector<std::string>{"b", "a"}));
  // One was stopped; the suspicion ends by itself, its time stays.
  const absl::Time last = now_;
  now_ += kWindow + absl::Seconds(1);
  EXPECT_FALSE(Suspected());
  EXPECT_EQ(masters_.suspected_at(), last);
}

TEST_F(MastersTest, SuspicionThatIsEndedBeginsAnewWhenTheyGoOn) {
  Speaks("a");
  Speaks("b");
  EXPECT_EQ(Speaks("a"), Verdict::kCloneBegins);
  masters_.EndSuspicion();
  EXPECT_FALSE(Suspected());
  EXPECT_EQ(masters_.instance(), "a");
  EXPECT_EQ(Speaks("b"), Verdict::kUsual) << "it may be a restart";
  EXPECT_EQ(Speaks("a"), Verdict::kCloneBegins);
}

TEST_F(MastersTest, ThreeInTurnAreSeenToo) {
  Speaks("a");
  Speaks("b");
  Speaks("c");
  EXPECT_EQ(Speaks("a"), Verdict::kCloneBegins);
  EXPECT_EQ(Speaks("b"), Verdict::kCloneGoesOn);
}

TEST_F(MastersTest, WhoComesBackLaterThanTheWindowIsNone) {
  Speaks("a");
  Speaks("b");
  EXPECT_EQ(Speaks("a", kWindow + absl::Seconds(1)), Verdict::kUsual);
  EXPECT_FALSE(Suspected());
}

TEST_F(MastersTest, ANewOccurrenceIsToldAgain) {
  Speaks("a");
  Speaks("b");
  EXPECT_EQ(Speaks("a"), Verdict::kCloneBegins);
  Speaks("c", kWindow + absl::Seconds(1));
  EXPECT_EQ(Speaks("a"), Verdict::kCloneBegins);
}

}  // namespace
}  // namespace mc::service

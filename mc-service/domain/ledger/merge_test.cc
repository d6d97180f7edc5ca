#include "mc-service/domain/ledger/merge.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mc::service {
namespace {

FrameUsage Frame(int from, int to, std::vector<LedgerPart> parts) {
  FrameUsage frame;
  frame.start = absl::UnixEpoch() + absl::Minutes(from);
  frame.end = absl::UnixEpoch() + absl::Minutes(to);
  frame.parts = std::move(parts);
  return frame;
}

// Quantities of the frames, less than nothing where they are disputed.
std::vector<int64_t> Merged(std::vector<FrameUsage> frames) {
  MergeFrames(frames);
  std::vector<int64_t> result;
  for (const FrameUsage& frame : frames) {
    result.push_back(frame.disputed ? -frame.quantity - 1 : frame.quantity);
  }
  return result;
}

using Quantities = std::vector<int64_t>;

TEST(Merge, FramesOfOneEpochAreAllCounted) {
  EXPECT_EQ(Merged({Frame(0, 60, {{1, 100}}), Frame(0, 5, {{1, 7}})}),
            (Quantities{100, 7}));
}

TEST(Merge, OfTheSameFrameTheEpochWithMostCounts) {
  EXPECT_EQ(Merged({Frame(0, 60, {{1, 100}, {2, 120}})}), (Quantities{-121}));
  EXPECT_EQ(Merged({Frame(0, 60, {{1, 100}, {2, 80}})}), (Quantities{-101}));
  EXPECT_EQ(Merged({Frame(0, 60, {{2, 100}, {1, 100}})}), (Quantities{-101}));
}

TEST(Merge, FramesThatOnlyTouchAreNotDisputed) {
  EXPECT_EQ(Merged({Frame(0, 30, {{1, 10}}), Frame(30, 60, {{2, 20}})}),
            (Quantities{10, 20}));
}

TEST(Merge, NothingIsNoUsageOfAnEpoch) {
  EXPECT_EQ(Merged({Frame(0, 60, {{1, 10}, {2, 0}})}), (Quantities{10}));
}

TEST(Merge, FramesOfOtherLengthAreOneGroup) {
  // Two short frames against a long one; a third one stands apart.
  EXPECT_EQ(Merged({Frame(0, 10, {{1, 10}}), Frame(10, 20, {{1, 10}}),
                    Frame(20, 30, {{1, 10}}), Frame(0, 20, {{2, 15}})}),
            (Quantities{-11, -11, 10, -1}));
  EXPECT_EQ(Merged({Frame(0, 10, {{1, 10}}), Frame(10, 20, {{1, 10}}),
                    Frame(20, 30, {{1, 10}}), Frame(0, 20, {{2, 25}})}),
            (Quantities{-1, -1, 10, -26}));
}

TEST(Merge, LateUsageOfAnEpochIsAddedBeforeItIsCompared) {
  std::vector<LedgerPart> parts;
  AddPart(parts, 1, 60);
  AddPart(parts, 2, 90);
  AddPart(parts, 1, 40);
  EXPECT_EQ(Merged({Frame(0, 60, parts)}), (Quantities{-101}));
}

TEST(Merge, OrderDoesNotMatter) {
  std::vector<FrameUsage> frames = {
      Frame(0, 10, {{1, 5}, {3, 6}}), Frame(10, 20, {{1, 5}}),
      Frame(5, 15, {{2, 9}}), Frame(40, 50, {{2, 1}})};
  int64_t sum = 0;
  MergeFrames(frames);
  for (const FrameUsage& frame : frames) sum += frame.quantity;
  std::reverse(frames.begin(), frames.end());
  std::reverse(frames[3].parts.begin(), frames[3].parts.end());
  MergeFrames(frames);
  for (const FrameUsage& frame : frames) sum -= frame.quantity;
  EXPECT_EQ(sum, 0);
  EXPECT_EQ(frames[3].quantity, 5) << "epoch 1 has 10 in its two frames";
}

}  // namespace
}  // namespace mc::service

#include "cluster-agent/mastership/election.h"

#include <string>

#include "cluster-agent/mastership/fake_lease_api.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using Fault = FakeLeaseApi::Fault;

constexpr absl::Duration kDuration = absl::Seconds(15);

// An agent with its own way to the Lease and its own clock.
struct Candidate {
  Candidate(FakeLease* lease, const std::string& identity, absl::Time now)
      : api(lease),
        clock(now),
        election({.api = &api,
                  .clock = &clock,
                  .identity = identity,
                  .lease_duration = kDuration}) {}
  bool Attempt() { return election.Attempt().ok(); }
  bool holds() const { return election.renewed_at().has_value(); }

  FakeLeaseApi api;
  SimulatedClock clock;
  Election election;
};

class ElectionTest : public testing::Test {
 protected:
  void Pass(absl::Duration duration) {
    a_.clock.Advance(duration);
    b_.clock.Advance(duration);
  }

  FakeLease lease_;
  // Their wall clocks disagree by a day: they are not compared.
  Candidate a_{&lease_, "a", absl::FromUnixSeconds(1'800'000'000)};
  Candidate b_{&lease_, "b", absl::FromUnixSeconds(1'800'086'400)};
};

TEST_F(ElectionTest, TheFirstCreatesItAndTheSecondWaits) {
  EXPECT_TRUE(a_.Attempt());
  const Lease lease = *lease_.Get();
  EXPECT_EQ(lease.holder, "a");
  EXPECT_EQ(lease.duration, kDuration);
  EXPECT_EQ(lease.renewed_at, a_.clock.Now());
  EXPECT_EQ(lease.acquired_at, a_.clock.Now());
  EXPECT_EQ(lease.transitions, 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(b_.election.Attempt()));
  EXPECT_EQ(b_.election.holder(), "a");
  EXPECT_FALSE(b_.holds());
}

TEST_F(ElectionTest, AHolderThatRenewsKeepsIt) {
  const absl::Time acquired_at = a_.clock.Now();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a_.Attempt());
    ASSERT_FALSE(b_.Attempt());
    Pass(kDuration * 0.9);
  }
  EXPECT_EQ(lease_.Get()->acquired_at, acquired_at);
  EXPECT_EQ(lease_.Get()->transitions, 0);
  // A renewal alone is one call.
  EXPECT_EQ(a_.api.calls(), 1 + 20);
}

TEST_F(ElectionTest, ASilentHolderLosesItAfterItsDurationSinceWeSawItChange) {
  ASSERT_TRUE(a_.Attempt());
  // Whatever the record says of the time: b sees it only now.
  Pass(absl::Hours(1));
  EXPECT_FALSE(b_.Attempt());
  Pass(kDuration - absl::Seconds(1));
  EXPECT_FALSE(b_.Attempt());
  Pass(absl::Seconds(1));
  EXPECT_TRUE(b_.Attempt());
  EXPECT_EQ(lease_.Get()->holder, "b");
  EXPECT_EQ(lease_.Get()->transitions, 1);
  EXPECT_EQ(lease_.Get()->acquired_at, b_.clock.Now());
  EXPECT_FALSE(a_.Attempt()) << "it sees who took it";
  EXPECT_FALSE(a_.holds());
}

TEST_F(ElectionTest, AnotherVersionThatSaysTheSameRenewsNothing) {
  ASSERT_TRUE(a_.Attempt());
  EXPECT_FALSE(b_.Attempt());
  Pass(kDuration - absl::Seconds(1));
  lease_.Touch();
  EXPECT_FALSE(b_.Attempt());
  Pass(absl::Seconds(1));
  EXPECT_TRUE(b_.Attempt());
}

TEST_F(ElectionTest, AMovedClockNeitherLosesNorWinsIt) {
  ASSERT_TRUE(a_.Attempt());
  EXPECT_FALSE(b_.Attempt());
  b_.clock.SetNow(b_.clock.Now() + absl::Hours(100));
  EXPECT_FALSE(b_.Attempt());
  b_.clock.SetNow(b_.clock.Now() - absl::Hours(1000));
  Pass(kDuration);
  EXPECT_TRUE(b_.Attempt());
}

TEST_F(ElectionTest, OfTwoWhoWriteAtOnceOneWins) {
  ASSERT_TRUE(a_.Attempt());
  Candidate c(&lease_, "c", b_.clock.Now());
  EXPECT_FALSE(b_.Attempt());
  EXPECT_FALSE(c.Attempt());
  Pass(kDuration);
  c.clock.Advance(kDuration);
  EXPECT_TRUE(c.Attempt());
  EXPECT_FALSE(b_.Attempt());
  EXPECT_EQ(b_.election.holder(), "c");
}

TEST_F(ElectionTest, ARenewalCountsFromBeforeItsRequest) {
  ASSERT_TRUE(a_.Attempt());
  const absl::Duration renewed_at = *a_.election.renewed_at();
  EXPECT_EQ(renewed_at, a_.clock.SinceBoot());
  Pass(absl::Seconds(2));
  a_.api.SetFault(Fault::kCut);
  EXPECT_TRUE(absl::IsUnavailable(a_.election.Attempt()));
  EXPECT_EQ(*a_.election.renewed_at(), renewed_at);
}

TEST_F(ElectionTest, ALostAnswerIsFoundOut) {
  a_.api.SetFault(Fault::kAnswerLost);
  EXPECT_FALSE(a_.Attempt());
  EXPECT_FALSE(a_.holds());
  a_.api.SetFault(Fault::kNone);
  EXPECT_TRUE(a_.Attempt());
  Pass(absl::Seconds(2));
  a_.api.SetFault(Fault::kAnswerLost);
  EXPECT_FALSE(a_.Attempt());
  a_.api.SetFault(Fault::kNone);
  EXPECT_TRUE(a_.Attempt()) << "the conflict is with itself";
  EXPECT_EQ(lease_.Get()->transitions, 0);
}

TEST_F(ElectionTest, ADeletedLeaseIsMadeAgain) {
  ASSERT_TRUE(a_.Attempt());
  lease_.Delete();
  EXPECT_TRUE(a_.Attempt());
  EXPECT_EQ(lease_.Get()->holder, "a");
}

TEST_F(ElectionTest, WhatWasGivenBackIsTakenAtOnce) {
  ASSERT_TRUE(a_.Attempt());
  EXPECT_FALSE(b_.Attempt());
  EXPECT_TRUE(a_.election.Release().ok());
  EXPECT_FALSE(a_.holds());
  EXPECT_EQ(lease_.Get()->holder, "");
  EXPECT_TRUE(b_.Attempt());
  EXPECT_EQ(lease_.Get()->transitions, 1);
  EXPECT_TRUE(a_.election.Release().ok()) << "not held, nothing to do";
  EXPECT_EQ(lease_.Get()->holder, "b");
}

TEST_F(ElectionTest, WhoLostItUnknowinglyGivesNothingBack) {
  ASSERT_TRUE(a_.Attempt());
  EXPECT_FALSE(b_.Attempt());
  Pass(kDuration);
  ASSERT_TRUE(b_.Attempt());
  EXPECT_FALSE(a_.election.Release().ok());
  EXPECT_EQ(lease_.Get()->holder, "b");
}

}  // namespace
}  // namespace mc::agent

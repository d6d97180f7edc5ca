#include "cluster-agent/mastership/lease_keeper.h"

#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "cluster-agent/exchange/eventually.h"
#include "cluster-agent/mastership/fake_lease_api.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using Fault = FakeLeaseApi::Fault;

constexpr absl::Duration kRetry = absl::Seconds(2);

// Keepers run on the same simulated clock.
struct Agent {
  Agent(FakeLease* lease, const SimulatedClock* clock, const std::string& name)
      : api(lease),
        keeper({.api = &api,
                .clock = clock,
                .identity = name,
                .lease_name = "site/agent",
                .lease_duration = absl::Seconds(15),
                .renew_deadline = absl::Seconds(10),
                .retry_period = kRetry,
                .draw = [] { return 0.5; },
                .on_held = [this] { held.Notify(); },
                .on_lost = [this] { lost.Notify(); },
                .on_expired = [this] { expired.Notify(); }}) {}

  FakeLeaseApi api;
  absl::Notification held, lost, expired;
  LeaseKeeper keeper;
};

class LeaseKeeperTest : public testing::Test {
 protected:
  void Begin(Agent& agent) {
    agents_.push_back(&agent);
    const int calls = agent.api.calls();
    agent.keeper.Start();
    ASSERT_TRUE(Eventually([&] { return agent.api.calls() > calls; }));
  }

  // A retry period passes, and each who still tries has tried again.
  void Step() {
    std::vector<int> calls;
    for (const Agent* agent : agents_) calls.push_back(agent->api.calls());
    clock_.Advance(kRetry);
    for (size_t i = 0; i < agents_.size(); ++i) {
      const Agent& agent = *agents_[i];
      ASSERT_TRUE(Eventually([&] {
        return agent.lost.HasBeenNotified() || agent.api.calls() > calls[i];
      }));
    }
  }
  void Steps(int count) {
    for (int i = 0; i < count; ++i) Step();
  }
  static bool Soon(const absl::Notification& event) {
    return Eventually([&] { return event.HasBeenNotified(); });
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  FakeLease lease_;
  std::vector<const Agent*> agents_;
};

TEST_F(LeaseKeeperTest, OneHoldsItAndTheOtherSaysForWhomItWaits) {
  Agent a(&lease_, &clock_, "a"), b(&lease_, &clock_, "b");
  Begin(a);
  ASSERT_TRUE(Soon(a.held));
  EXPECT_EQ(a.keeper.WaitingFor(), "");
  Begin(b);
  Steps(20);
  EXPECT_FALSE(b.held.HasBeenNotified());
  EXPECT_FALSE(a.lost.HasBeenNotified());
  EXPECT_TRUE(Eventually([&] {
    return b.keeper.WaitingFor() ==
           "the Lease site/agent, which the master a holds";
  }));
}

TEST_F(LeaseKeeperTest, WhoIsCutOffStopsBeforeTheOtherMayBegin) {
  Agent a(&lease_, &clock_, "a"), b(&lease_, &clock_, "b");
  Begin(a);
  ASSERT_TRUE(Soon(a.held));
  Begin(b);
  Steps(3);
  a.api.SetFault(Fault::kCut);
  // Renewed at 0; the deadline is at 10, nobody else may have it until 15.
  Steps(4);
  EXPECT_FALSE(a.lost.HasBeenNotified());
  Step();
  EXPECT_TRUE(Soon(a.lost));
  EXPECT_FALSE(a.expired.HasBeenNotified());
  // It lasts no longer: who has lost the Lease does not renew it any more.
  a.api.SetFault(Fault::kNone);
  Steps(2);
  EXPECT_TRUE(Soon(a.expired));
  EXPECT_FALSE(b.held.HasBeenNotified());
  // Its duration has passed since b saw it renewed last.
  Steps(2);
  EXPECT_TRUE(Soon(b.held));
}

TEST_F(LeaseKeeperTest, AShortCutCostsNothing) {
  Agent a(&lease_, &clock_, "a");
  Begin(a);
  for (int i = 0; i < 3; ++i) {
    a.api.SetFault(Fault::kCut);
    Steps(3);
    a.api.SetFault(Fault::kNone);
    Step();
    // The guards are set anew when the answer was noted.
    ASSERT_TRUE(Eventually([&] { return a.keeper.WaitingFor().empty(); }));
  }
  EXPECT_FALSE(a.lost.HasBeenNotified());
}

TEST_F(LeaseKeeperTest, WhoseLeaseAnotherHoldsEndsAtOnce) {
  Agent a(&lease_, &clock_, "a");
  Begin(a);
  ASSERT_TRUE(Soon(a.held));
  Lease taken = *lease_.Get();
  taken.holder = "somebody";
  ASSERT_TRUE(lease_.Put(taken, false).ok());
  Step();
  EXPECT_TRUE(Soon(a.lost));
}

TEST_F(LeaseKeeperTest, GivenBackItIsTheNextOnesAtOnce) {
  Agent a(&lease_, &clock_, "a"), b(&lease_, &clock_, "b");
  Begin(a);
  ASSERT_TRUE(Soon(a.held));
  Begin(b);
  Steps(2);
  ASSERT_TRUE(a.keeper.Release().ok());
  agents_ = {&b};
  Step();
  EXPECT_TRUE(Soon(b.held));
}

TEST_F(LeaseKeeperTest, TheProblemIsSaid) {
  Agent a(&lease_, &clock_, "a");
  a.api.SetFault(Fault::kCut);
  Begin(a);
  EXPECT_TRUE(Eventually([&] {
    return a.keeper.WaitingFor() == "the Lease site/agent: cut off";
  }));
  a.api.SetFault(Fault::kNone);
  Step();
  EXPECT_TRUE(Soon(a.held));
}

}  // namespace
}  // namespace mc::agent

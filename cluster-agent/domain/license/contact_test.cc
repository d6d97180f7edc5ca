#include "cluster-agent/domain/license/contact.h"

#include "common/time/proto_time.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentContact;

constexpr absl::Duration kDay = absl::Hours(24);
const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);
// The service's clock is not this one.
const absl::Time kThere = kNow + absl::Hours(3);

class ContactTest : public testing::Test {
 protected:
  // Another process on the same machine, in this boot or another one.
  Contact Restarted(const AgentContact& kept, const char* boot_id) {
    Contact contact(&clock_, boot_id);
    contact.Restore(kept);
    return contact;
  }
  // A machine whose boot clock has begun anew, at this time.
  SimulatedClock clock_{kNow};
  Contact contact_{&clock_, "boot-1"};
};

TEST_F(ContactTest, OfflineIsTheTimeSinceTheLastContact) {
  EXPECT_FALSE(contact_.ever());
  clock_.Advance(kDay);
  contact_.Reached(kThere);
  EXPECT_EQ(contact_.Offline(), absl::ZeroDuration());
  clock_.Advance(kDay);
  EXPECT_EQ(contact_.Offline(), kDay);
  EXPECT_EQ(contact_.Anchored(), kThere + kDay);
  contact_.Reached(kThere);
  EXPECT_EQ(contact_.Offline(), absl::ZeroDuration());
}

TEST_F(ContactTest, WithinABootTheWallClockMovesNothing) {
  contact_.Reached(kThere);
  for (const absl::Duration step : {365 * kDay, -2 * 365 * kDay, kDay, -kDay}) {
    clock_.SetNow(clock_.Now() + step);
    EXPECT_EQ(contact_.Offline(), absl::ZeroDuration());
    EXPECT_EQ(contact_.Anchored(), kThere);
    const Contact again = Restarted(contact_.Note(), "boot-1");
    EXPECT_EQ(again.Offline(), absl::ZeroDuration());
    EXPECT_EQ(again.Anchored(), kThere);
  }
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(contact_.Offline(), absl::Hours(1));
}

TEST_F(ContactTest, ARestartWithinABootLosesNothing) {
  contact_.Reached(kThere);
  clock_.Advance(kDay);
  const AgentContact note = contact_.Note();
  clock_.SetNow(kNow - 100 * kDay);
  clock_.Advance(kDay);
  const Contact again = Restarted(note, "boot-1");
  EXPECT_EQ(again.Offline(), 2 * kDay);
  EXPECT_EQ(again.Anchored(), kThere + 2 * kDay);
  EXPECT_EQ(again.Note().contact_at().seconds(), absl::ToUnixSeconds(kNow));
}

TEST_F(ContactTest, ARebootAddsTheWallClocksDifferenceAndEndsTheAnchor) {
  contact_.Reached(kThere);
  clock_.Advance(kDay);
  const AgentContact note = contact_.Note();
  SimulatedClock rebooted(clock_.Now() + absl::Hours(2));
  Contact again(&rebooted, "boot-2");
  again.Restore(note);
  EXPECT_EQ(again.Offline(), kDay + absl::Hours(2));
  EXPECT_EQ(again.Anchored(), std::nullopt);
  EXPECT_EQ(again.Situation().service_time_passed, kThere + kDay);
  rebooted.Advance(kDay);
  EXPECT_EQ(again.Offline(), 2 * kDay + absl::Hours(2));
  // It stays so over further restarts, of the agent and of the machine.
  Contact third(&rebooted, "boot-2");
  third.Restore(again.Note());
  EXPECT_EQ(third.Offline(), 2 * kDay + absl::Hours(2));
  EXPECT_EQ(third.Anchored(), std::nullopt);
  SimulatedClock once_more(rebooted.Now());
  Contact fourth(&once_more, "boot-3");
  fourth.Restore(third.Note());
  EXPECT_EQ(fourth.Offline(), 2 * kDay + absl::Hours(2));
  EXPECT_EQ(fourth.Situation().service_time_passed, kThere + kDay);
  fourth.Reached(kThere);
  EXPECT_EQ(fourth.Anchored(), kThere);
}

TEST_F(ContactTest, AClockThatWasSetBackOverARebootTakesNothingAway) {
  contact_.Reached(kThere);
  clock_.Advance(5 * kDay);
  SimulatedClock rebooted(kNow - 365 * kDay);
  Contact again(&rebooted, "boot-2");
  again.Restore(contact_.Note());
  EXPECT_EQ(again.Offline(), 5 * kDay);
}

TEST_F(ContactTest, AnUnknownBootIsAnother) {
  contact_.Reached(kThere);
  const Contact known(Restarted(contact_.Note(), "boot-1"));
  EXPECT_TRUE(known.Anchored().has_value());
  Contact nameless(&clock_, "");
  nameless.Reached(kThere);
  EXPECT_FALSE(Restarted(nameless.Note(), "").Anchored().has_value());
  // A clock that is behind what was kept is another machine's.
  SimulatedClock young(kNow);
  clock_.Advance(kDay);
  contact_.Reached(kThere);
  Contact copied(&young, "boot-1");
  copied.Restore(contact_.Note());
  EXPECT_FALSE(copied.Anchored().has_value());
}

TEST_F(ContactTest, ALicenseWithoutAKeptContactStandsInForIt) {
  clock_.Advance(3 * kDay);
  const Contact contact = Restarted(ContactOf(kNow, kThere), "boot-1");
  EXPECT_EQ(contact.Offline(), 3 * kDay);
  EXPECT_EQ(contact.Anchored(), std::nullopt);
  EXPECT_EQ(contact.Situation().service_time_passed, kThere);
}

TEST_F(ContactTest, NonsenseInTheFileCountsAsNothing) {
  AgentContact kept;
  kept.mutable_noted_at()->set_seconds(absl::ToUnixSeconds(kNow));
  kept.mutable_offline()->set_seconds(-5);
  kept.mutable_service_time()->set_nanos(-1);
  const Contact contact = Restarted(kept, "boot-1");
  EXPECT_EQ(contact.Offline(), absl::ZeroDuration());
  EXPECT_EQ(contact.Anchored(), std::nullopt);
}

}  // namespace
}  // namespace mc::agent

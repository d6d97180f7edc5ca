#include "mc-service/domain/pacing/admission.h"

#include <gtest/gtest.h>

#include <set>

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'795'255'200);

TEST(RetrySlots, EachOneGetsAMomentOfItsOwn) {
  RetrySlots slots(10, absl::Minutes(1));
  std::set<absl::Duration> moments;
  for (int i = 0; i < 100; ++i) moments.insert(slots.Take(kNow));
  EXPECT_EQ(moments.size(), 100u);
  EXPECT_EQ(*moments.begin(), absl::Milliseconds(100));
  EXPECT_EQ(*moments.rbegin(), absl::Seconds(10));
}

TEST(RetrySlots, NobodyIsSentAwayForLongerThanTheBound) {
  RetrySlots slots(10, absl::Seconds(2));
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(slots.Take(kNow), absl::Seconds(2));
  }
}

TEST(RetrySlots, MomentsThatHavePassedAreFreeAgain) {
  RetrySlots slots(10, absl::Minutes(1));
  for (int i = 0; i < 50; ++i) slots.Take(kNow);
  EXPECT_EQ(slots.Take(kNow + absl::Minutes(1)), absl::Milliseconds(100));
  // The clock was set back by a day.
  EXPECT_LE(slots.Take(kNow - absl::Hours(24)), absl::Minutes(1));
}

Admission::Options Slow() {
  return {.per_second = 10,
          .queue = absl::Seconds(2),
          .longest_retry = absl::Minutes(1)};
}

TEST(Admission, AdmitsTheRateWithoutAWord) {
  Admission admission(Slow());
  for (int i = 0; i < 1000; ++i) {
    const auto verdict = admission.Ask(kNow + i * absl::Milliseconds(100));
    ASSERT_TRUE(verdict.admitted) << i;
    ASSERT_EQ(verdict.retry_after, absl::ZeroDuration()) << i;
  }
}

TEST(Admission, SlowsDownWhoIsOverTheRateThenTurnsAway) {
  Admission admission(Slow());
  int at_once = 0, slowed = 0, turned_away = 0;
  for (int i = 0; i < 100; ++i) {
    const auto verdict = admission.Ask(kNow);
    if (!verdict.admitted) {
      EXPECT_GT(verdict.retry_after, absl::ZeroDuration());
      ++turned_away;
    } else if (verdict.retry_after > absl::ZeroDuration()) {
      ++slowed;
    } else {
      ++at_once;
    }
  }
  // A second's worth, then two in debt.
  EXPECT_EQ(at_once, 11);
  EXPECT_EQ(slowed, 19);
  EXPECT_EQ(turned_away, 70);
}

TEST(Admission, WhoComesAgainWhenToldIsAdmittedInTheEnd) {
  Admission admission(Slow());
  // By the time to come; each comes again when it was told.
  std::multiset<absl::Time> waiting;
  for (int i = 0; i < 500; ++i) waiting.insert(kNow);
  int attempts = 0;
  absl::Time last = kNow;
  while (!waiting.empty() && attempts < 10'000) {
    last = *waiting.begin();
    waiting.erase(waiting.begin());
    ++attempts;
    const auto verdict = admission.Ask(last);
    if (!verdict.admitted) waiting.insert(last + verdict.retry_after);
  }
  EXPECT_TRUE(waiting.empty());
  // At the rate, with few attempts.
  EXPECT_LE(last - kNow, absl::Seconds(60));
  EXPECT_LE(attempts, 1500);
}

TEST(Admission, NewcomersBeginWhenTheDebtIsPaid) {
  Admission admission(Slow());
  EXPECT_EQ(admission.WhenToBegin(kNow), absl::ZeroDuration());
  for (int i = 0; i < 30; ++i) admission.Ask(kNow);
  const absl::Duration first = admission.WhenToBegin(kNow);
  EXPECT_GT(first, absl::ZeroDuration());
  EXPECT_GT(admission.WhenToBegin(kNow), first);
  EXPECT_EQ(admission.WhenToBegin(kNow + absl::Minutes(1)),
            absl::ZeroDuration());
}

}  // namespace
}  // namespace mc::service

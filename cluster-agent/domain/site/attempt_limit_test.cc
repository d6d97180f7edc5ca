#include "cluster-agent/domain/site/attempt_limit.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

TEST(AttemptLimit, EachAddressHasItsOwn) {
  SimulatedClock clock(absl::FromUnixSeconds(1'800'000'000));
  AttemptLimit limit(&clock);
  for (int i = 0; i < AttemptLimit::kBurst; ++i) {
    EXPECT_TRUE(limit.Attempt(absl::StrCat("ipv4:10.0.0.1:", 40000 + i)).ok());
  }
  const absl::Status refused = limit.Attempt("ipv4:10.0.0.1:50000");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), missioncontrol::v1::ERROR_REASON_OVERLOADED);
  EXPECT_EQ(RetryDelayOf(refused), AttemptLimit::kInterval);
  EXPECT_TRUE(limit.Attempt("ipv4:10.0.0.2:40000").ok());
}

TEST(AttemptLimit, ItIsRestoredByTimeAndNotByTheWallClock) {
  SimulatedClock clock(absl::FromUnixSeconds(1'800'000'000));
  AttemptLimit limit(&clock);
  while (limit.Attempt("ipv4:10.0.0.1:1").ok()) {
  }
  clock.SetNow(clock.Now() + absl::Hours(100));
  EXPECT_FALSE(limit.Attempt("ipv4:10.0.0.1:1").ok());
  clock.Advance(AttemptLimit::kInterval);
  EXPECT_TRUE(limit.Attempt("ipv4:10.0.0.1:1").ok());
  EXPECT_FALSE(limit.Attempt("ipv4:10.0.0.1:1").ok());
}

TEST(AttemptLimit, WhatIsRememberedIsBounded) {
  SimulatedClock clock(absl::FromUnixSeconds(1'800'000'000));
  AttemptLimit limit(&clock);
  for (size_t i = 0; i < AttemptLimit::kMaxAddresses; ++i) {
    ASSERT_TRUE(limit.Attempt(absl::StrCat("ipv6:[fd00::", i, "]:1")).ok());
  }
  EXPECT_FALSE(limit.Attempt("ipv4:10.0.0.1:1").ok());
  clock.Advance(AttemptLimit::kInterval);
  EXPECT_TRUE(limit.Attempt("ipv4:10.0.0.1:1").ok());
}

}  // namespace
}  // namespace mc::agent

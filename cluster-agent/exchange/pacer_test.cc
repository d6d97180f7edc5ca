#include "cluster-agent/exchange/pacer.h"

#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr absl::Duration kInterval = absl::Seconds(100);
constexpr absl::Duration kMax = absl::Seconds(8);

Pacer MakePacer(double draw) {
  return Pacer({.interval = kInterval,
                .backoff_initial = absl::Seconds(1),
                .backoff_max = kMax},
               [draw] { return draw; });
}

v1::Pacing Wish(absl::Duration next_interval) {
  v1::Pacing pacing;
  *pacing.mutable_next_interval() = mc::ToProto(next_interval);
  return pacing;
}

v1::Pacing Wait(absl::Duration retry_after) {
  v1::Pacing pacing;
  *pacing.mutable_retry_after() = mc::ToProto(retry_after);
  return pacing;
}

TEST(Pacer, JitterShortensAnIntervalByATenthAtMost) {
  EXPECT_EQ(MakePacer(0).After(absl::OkStatus(), {}), kInterval);
  EXPECT_EQ(MakePacer(1).After(absl::OkStatus(), {}), kInterval * 0.9);
}

TEST(Pacer, TheServicesWishIsObeyedWithinBounds) {
  Pacer pacer = MakePacer(0);
  EXPECT_EQ(pacer.After(absl::OkStatus(), Wish(absl::Seconds(50))),
            absl::Seconds(50));
  EXPECT_EQ(pacer.After(absl::OkStatus(), Wish(absl::Milliseconds(1))),
            kInterval / 10);
  EXPECT_EQ(pacer.After(absl::OkStatus(), Wish(absl::Hours(100))),
            kInterval * 10);
  EXPECT_EQ(pacer.After(absl::OkStatus(), Wait(absl::Seconds(300))),
            absl::Seconds(300));
}

TEST(Pacer, FailuresBackOffUpToTheBound) {
  Pacer pacer = MakePacer(0.999999);
  const absl::Status failed = absl::UnavailableError("away");
  absl::Duration last = absl::ZeroDuration();
  for (int i = 0; i < 10; ++i) {
    const absl::Duration pause = pacer.After(failed, {});
    EXPECT_GE(pause, last);
    EXPECT_LE(pause, kMax);
    last = pause;
  }
  EXPECT_GT(last, kMax * 0.99);
  pacer.After(absl::OkStatus(), {});
  EXPECT_LE(pacer.After(failed, {}), absl::Seconds(1));
}

TEST(Pacer, NothingIsTriedBeforeTheServiceAllows) {
  Pacer pacer = MakePacer(0);
  EXPECT_EQ(pacer.After(WithRetryDelay(absl::UnavailableError("busy"),
                                       absl::Seconds(30)),
                        {}),
            absl::Seconds(30));
  EXPECT_EQ(pacer.After(absl::UnavailableError("busy"), Wait(absl::Hours(99))),
            kMaxRetryAfter);
}

// Clusters that were told the same do not come back at the same moment.
TEST(Pacer, WhatTheServiceAsksForIsSpread) {
  const absl::Status refusal =
      WithRetryDelay(Error(absl::StatusCode::kFailedPrecondition,
                           v1::ERROR_REASON_CLONE_SUSPECTED, "not now"),
                     absl::Minutes(30));
  EXPECT_EQ(MakePacer(0).After(refusal, {}), absl::Minutes(30));
  EXPECT_EQ(MakePacer(1).After(refusal, {}), absl::Minutes(33));
  EXPECT_EQ(MakePacer(1).After(absl::OkStatus(), Wait(absl::Minutes(30))),
            absl::Minutes(33));
}

TEST(Pacer, ARefusalIsNotHammered) {
  Pacer pacer = MakePacer(1);
  EXPECT_EQ(pacer.After(Error(absl::StatusCode::kNotFound,
                              v1::ERROR_REASON_LICENSE_KEY_UNKNOWN, "no"),
                        {}),
            kMax * 0.9);
}

TEST(Pacer, OnceIsOnce) {
  Pacer pacer({.interval = absl::InfiniteDuration(),
               .backoff_initial = absl::Seconds(1),
               .backoff_max = kMax},
              [] { return 0.5; });
  EXPECT_EQ(pacer.After(absl::OkStatus(), {}), absl::InfiniteDuration());
  EXPECT_LE(pacer.After(absl::UnavailableError("away"), {}), kMax);
}

TEST(Refusals, AreToldApartFromOutages) {
  const auto error = [](absl::StatusCode code, v1::ErrorReason reason) {
    return Error(code, reason, "text");
  };
  EXPECT_TRUE(IsUnreachable(absl::UnavailableError("refused")));
  EXPECT_TRUE(IsUnreachable(absl::DeadlineExceededError("slow")));
  EXPECT_TRUE(IsUnreachable(
      error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED)));
  EXPECT_FALSE(IsUnreachable(error(absl::StatusCode::kUnavailable,
                                   v1::ERROR_REASON_STORE_UNAVAILABLE)));
  EXPECT_FALSE(IsRefusal(absl::UnavailableError("refused")));
  EXPECT_FALSE(IsRefusal(absl::OkStatus()));
  EXPECT_FALSE(IsRefusal(absl::ResourceExhaustedError("later")));
  EXPECT_TRUE(IsRefusal(error(absl::StatusCode::kPermissionDenied,
                              v1::ERROR_REASON_IDENTITY_REVOKED)));
  EXPECT_TRUE(IsRefusal(
      error(absl::StatusCode::kAborted, v1::ERROR_REASON_SUPERSEDED)));
  EXPECT_FALSE(IsRefusal(absl::AbortedError("again")));
}

TEST(Refusals, SayWhatToDo) {
  EXPECT_NE(Advice(Error(absl::StatusCode::kNotFound,
                         v1::ERROR_REASON_LICENSE_KEY_UNKNOWN, "no"))
                .find("license_key_file"),
            std::string::npos);
  EXPECT_EQ(Advice(absl::UnauthenticatedError("the signature")),
            "the signature");
}

}  // namespace
}  // namespace mc::agent

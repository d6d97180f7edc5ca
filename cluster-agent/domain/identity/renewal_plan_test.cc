#include "cluster-agent/domain/identity/renewal_plan.h"

#include <gtest/gtest.h>

#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

CertificateInfo Certificate(absl::Duration backdated, absl::Duration left) {
  CertificateInfo info;
  info.not_before = kNow - backdated;
  info.not_after = kNow + left;
  return info;
}

TEST(RenewalPlan, BeginsAtHalfOfTheLifeAndSpreadsOverATenth) {
  const CertificateLife life =
      LifeOf(Certificate(absl::Minutes(5), absl::Hours(10)), kNow);
  EXPECT_EQ(RenewalDue(life, 0), kNow + absl::Hours(5));
  EXPECT_EQ(RenewalDue(life, 1), kNow + absl::Hours(6));
}

TEST(RenewalPlan, ShortLivesAreNotCountedFromTheBackdating) {
  const CertificateLife life =
      LifeOf(Certificate(absl::Minutes(5), absl::Seconds(20)), kNow);
  EXPECT_EQ(RenewalDue(life, 0), kNow + absl::Seconds(10));
}

// Else whatever is new would be due at once, again and again.
TEST(RenewalPlan, AWrongClockCountsTheLifeFromTheAnswer) {
  const CertificateInfo info = Certificate(absl::Hours(1), absl::Hours(3));
  for (const absl::Duration off : {absl::Hours(99), -absl::Hours(99)}) {
    const CertificateLife life = LifeOf(info, kNow + off);
    EXPECT_EQ(life.begin, kNow + off);
    EXPECT_EQ(life.end, kNow + off + absl::Hours(4));
  }
}

TEST(RenewalPlan, TheLastQuarterIsNearTheEnd) {
  const CertificateLife life{kNow, kNow + absl::Hours(4)};
  EXPECT_FALSE(IsNearEnd(life, kNow + absl::Minutes(179)));
  EXPECT_TRUE(IsNearEnd(life, kNow + absl::Minutes(181)));
  EXPECT_TRUE(IsNearEnd(life, kNow + absl::Hours(9)));
}

TEST(RenewalPlan, OnlyTypedAnswersAct) {
  const auto of = [](v1::ErrorReason reason) {
    return VerdictOf(Error(absl::StatusCode::kPermissionDenied, reason, "no"));
  };
  EXPECT_EQ(of(v1::ERROR_REASON_MUST_RECOVER), Verdict::kRecover);
  EXPECT_EQ(of(v1::ERROR_REASON_IDENTITY_REVOKED), Verdict::kStop);
  EXPECT_EQ(of(v1::ERROR_REASON_MUST_REENROLL), Verdict::kStop);
  EXPECT_EQ(of(v1::ERROR_REASON_CREDENTIALS_REFUSED), Verdict::kNone);
  EXPECT_EQ(VerdictOf(absl::UnavailableError("handshake failed")),
            Verdict::kNone);
  EXPECT_EQ(VerdictOf(absl::OkStatus()), Verdict::kNone);
}

TEST(RenewalPlan, QuestionsAreRareAndSpread) {
  EXPECT_EQ(AskAgainAfter(1, 0), absl::Minutes(10));
  EXPECT_EQ(AskAgainAfter(1, 1), absl::Minutes(15));
  EXPECT_EQ(AskAgainAfter(3, 0), absl::Minutes(40));
  EXPECT_EQ(AskAgainAfter(4, 0), absl::Hours(1));
  EXPECT_EQ(AskAgainAfter(400, 1), absl::Minutes(90));
}

}  // namespace
}  // namespace mc::agent

#include "cluster-agent/domain/identity/renewal_plan.h"

#include <algorithm>

#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr double kRenewFrom = 0.5;
constexpr double kRenewSpread = 0.1;
constexpr double kNearEnd = 0.25;
constexpr absl::Duration kAskAgain = absl::Minutes(10);
constexpr absl::Duration kAskAgainMost = absl::Hours(1);
// Of the pause, on top of it.
constexpr double kAskAgainSpread = 0.5;

}  // namespace

CertificateLife LifeOf(const CertificateInfo& certificate,
                       absl::Time certified_at) {
  if (certified_at >= certificate.not_before &&
      certified_at <= certificate.not_after) {
    return {certified_at, certificate.not_after};
  }
  return {certified_at,
          certified_at + (certificate.not_after - certificate.not_before)};
}

absl::Time RenewalDue(const CertificateLife& life, double draw) {
  return life.begin +
         (life.end - life.begin) * (kRenewFrom + kRenewSpread * draw);
}

bool IsNearEnd(const CertificateLife& life, absl::Time now) {
  return life.end - now < (life.end - life.begin) * kNearEnd;
}

Verdict VerdictOf(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::ERROR_REASON_MUST_RECOVER:
      return Verdict::kRecover;
    case v1::ERROR_REASON_IDENTITY_REVOKED:
    case v1::ERROR_REASON_MUST_REENROLL:
      return Verdict::kStop;
    default:
      return Verdict::kNone;
  }
}

absl::Duration AskAgainAfter(int times, double draw) {
  absl::Duration pause = kAskAgain;
  for (int i = 1; i < times && pause < kAskAgainMost; ++i) pause *= 2;
  return std::min(pause, kAskAgainMost) * (1 + kAskAgainSpread * draw);
}

}  // namespace mc::agent

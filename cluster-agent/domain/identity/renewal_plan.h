// When the cluster's certificate is renewed, and what the service's answers
// say about it.
#ifndef MC_CLUSTER_AGENT_DOMAIN_IDENTITY_RENEWAL_PLAN_H_
#define MC_CLUSTER_AGENT_DOMAIN_IDENTITY_RENEWAL_PLAN_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/crypto/certificate.h"

namespace mc::agent {

struct CertificateLife {
  absl::Time begin;
  absl::Time end;
};

// `certified_at`: when it was asked for, for a service dates a certificate
// back. Where this clock and the service's do not agree at all, it lives as
// long from then on by this clock.
CertificateLife LifeOf(const CertificateInfo& certificate,
                       absl::Time certified_at);

// From half of the life on, spread by `draw` (from [0, 1)) over a tenth of it,
// so that clusters that registered together do not renew together.
absl::Time RenewalDue(const CertificateLife& life, double draw);

// In the last quarter: renewal should have succeeded long ago.
bool IsNearEnd(const CertificateLife& life, absl::Time now);

enum class Verdict {
  // Nothing about the identity.
  kNone,
  // The certificate is good no more; another one is there for the asking.
  kRecover,
  // Every exchange is refused until a person at the vendor has done something.
  kStop,
};
Verdict VerdictOf(const absl::Status& status);

// How long the service is not asked again after it gave such an answer for the
// `times`th time in a row (from 1): ten minutes at least, an hour and a half at
// most.
absl::Duration AskAgainAfter(int times, double draw);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_IDENTITY_RENEWAL_PLAN_H_

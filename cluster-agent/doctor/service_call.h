// Real calls to the service, to see whether it answers this agent.
#ifndef MC_CLUSTER_AGENT_DOCTOR_SERVICE_CALL_H_
#define MC_CLUSTER_AGENT_DOCTOR_SERVICE_CALL_H_

#include "absl/time/time.h"
#include "cluster-agent/doctor/check.h"
#include "cluster-agent/exchange/channel.h"
#include "common/time/clock.h"

namespace mc::agent {

struct ServiceAnswer {
  CheckResult result;
  // What the service's clock said, and this machine's at that moment; infinite
  // past where it did not say.
  absl::Time told = absl::InfinitePast();
  absl::Time now = absl::InfinitePast();
};

// The standard health check, which needs no identity. Blocks, some seconds at
// most.
ServiceAnswer CallHealth(const std::string& target,
                         const ChannelOptions& channel, const Clock& clock);
// CheckLicense with the cluster's own certificate.
ServiceAnswer CallLicense(const std::string& target,
                          const ChannelOptions& channel, const Clock& clock);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOCTOR_SERVICE_CALL_H_

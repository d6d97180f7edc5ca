// Which events a license gives rise to.
#ifndef MC_CLUSTER_AGENT_DOMAIN_LICENSE_LICENSE_EVENTS_H_
#define MC_CLUSTER_AGENT_DOMAIN_LICENSE_LICENSE_EVENTS_H_

#include <vector>

#include "absl/time/time.h"
#include "common/license/outage.h"
#include "missioncontrol/v1/events.pb.h"

namespace mc::agent {

// What was told last.
struct ToldLicense {
  missioncontrol::v1::LicenseStanding standing =
      missioncontrol::v1::LICENSE_STANDING_UNKNOWN;
  google::protobuf::Timestamp ends_at;
  // How many of the warnings, 30, 7 and 1 days before the end, were due.
  int warnings = 0;
};

// The events between `told` and `situation`, and `told` brought up to it. Each
// end date is warned of once per step, and only the nearest step is told. An
// event that may be told twice, by a process that is killed meanwhile, has the
// same ID both times.
std::vector<missioncontrol::v1::ClusterEvent> LicenseEvents(
    const LicenseSituation& situation, ToldLicense& told);

// Until the next warning is due; infinite: none is to come.
absl::Duration UntilNextWarning(const LicenseSituation& situation);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_LICENSE_LICENSE_EVENTS_H_

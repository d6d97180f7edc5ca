// What a node may report to its master.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_NODE_REPORT_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_NODE_REPORT_H_

#include "absl/status/status.h"
#include "missioncontrol/v1/site.pb.h"

namespace mc::agent {

// The formats of its fields, and bounds of its lists: what the master keeps of
// a thousand nodes stays small. INVALID_ARGUMENT: INVALID_FIELD,
// TIME_FRAME_INVALID.
absl::Status CheckNodeReport(const missioncontrol::v1::NodeReport& report);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_NODE_REPORT_H_

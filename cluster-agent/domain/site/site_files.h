// The files in which the master keeps its site.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_FILES_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "missioncontrol/config/v1/agent_state.pb.h"

namespace mc::agent {

// JSON, owner-only, each replaced as a whole and durable when its function
// returns. A missing file is empty. Loading what is damaged is DATA_LOSS.
absl::StatusOr<missioncontrol::config::v1::SiteNodes> LoadSiteNodes(
    const std::string& directory);
absl::Status SaveSiteNodes(const std::string& directory,
                           const missioncontrol::config::v1::SiteNodes& nodes);
absl::StatusOr<missioncontrol::config::v1::SiteReports> LoadSiteReports(
    const std::string& directory);
absl::Status SaveSiteReports(
    const std::string& directory,
    const missioncontrol::config::v1::SiteReports& reports);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_FILES_H_

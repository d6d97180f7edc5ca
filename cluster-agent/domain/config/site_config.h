// What the configuration of a site's master says of its site.
#ifndef MC_CLUSTER_AGENT_DOMAIN_CONFIG_SITE_CONFIG_H_
#define MC_CLUSTER_AGENT_DOMAIN_CONFIG_SITE_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

// Fills in what has a default; relative paths are below `directory`.
void ApplySiteDefaults(const std::string& directory,
                       missioncontrol::config::v1::Site& site);

// Adds a line for each problem of the values alone.
void CheckSite(const missioncontrol::config::v1::Site& site,
               std::vector<std::string>& problems);

// The CA's files, and the standing token where there is one: a file that is not
// there yet is no error, for nobody can join with it.
absl::Status CheckSiteFiles(const missioncontrol::config::v1::Site& site);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_CONFIG_SITE_CONFIG_H_

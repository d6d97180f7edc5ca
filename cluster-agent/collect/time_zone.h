// The machine's time zone.
#ifndef MC_CLUSTER_AGENT_COLLECT_TIME_ZONE_H_
#define MC_CLUSTER_AGENT_COLLECT_TIME_ZONE_H_

#include <string>

#include "absl/status/statusor.h"
#include "cluster-agent/collect/kernel_files.h"

namespace mc::agent {

// A name of the IANA database, for instance Europe/Vienna: `configured` where
// it is not empty, else what /etc/timezone says, else where the symbolic link
// /etc/localtime points, else "UTC". INVALID_ARGUMENT only for a configured
// text that cannot be such a name.
absl::StatusOr<std::string> ReadTimeZone(const CollectOptions& options,
                                         const std::string& configured);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_TIME_ZONE_H_

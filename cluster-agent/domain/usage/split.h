// Reports of bounded size out of one frame's consumption.
#ifndef MC_CLUSTER_AGENT_DOMAIN_USAGE_SPLIT_H_
#define MC_CLUSTER_AGENT_DOMAIN_USAGE_SPLIT_H_

#include <cstddef>
#include <vector>

#include "missioncontrol/v1/consumption.pb.h"

namespace mc::agent {

// Well below the 4 MiB that the service accepts.
inline constexpr size_t kDefaultMaxReportBytes = 1 << 20;
// Smaller limits would not hold the largest single entry, a piece of a host.
inline constexpr size_t kMinMaxReportBytes = 64 << 10;

// The same frame in as many messages as it takes for the service to accept
// each: it serializes into at most `max_bytes` (at least kMinMaxReportBytes),
// no list has more than 10,000 entries, no host more than 512 intervals, and no
// host or meter ID comes twice in an environment.
//
// Every entry (monitor, host, meter) and every environment's own counts are in
// exactly one message; only a host with more intervals or technologies than fit
// comes in several, each time with other ones. Order is kept. One message where
// it fits.
std::vector<missioncontrol::v1::Consumption> SplitConsumption(
    missioncontrol::v1::Consumption consumption, size_t max_bytes);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_USAGE_SPLIT_H_

// What the configuration says of who may connect.
#ifndef MC_SERVICE_EDGE_EDGE_SETTINGS_H_
#define MC_SERVICE_EDGE_EDGE_SETTINGS_H_

#include <cstdint>
#include <vector>

#include "mc-service/cli/configuration.h"
#include "mc-service/edge/acceptor.h"
#include "mc-service/edge/address.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// How many descriptors this process may still open for connections: its limit
// without what is open and what it needs besides.
int64_t DescriptorsForConnections();

// Of one listener. Each has its own share of `descriptors`, however many the
// configuration allows: strangers at the enrollment listener take none from
// the clusters. A process with one listener alone gives all to it. The values
// were checked.
Acceptor::Limits AcceptorLimits(const config::Limits& limits, Listener listener,
                                int64_t descriptors);

// The values were checked.
std::vector<Network> Proxies(const config::Listener& listener);

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_EDGE_SETTINGS_H_

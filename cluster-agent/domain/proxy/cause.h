// Why the service cannot be reached through a proxy, of which gRPC says only
// UNAVAILABLE.
#ifndef MC_CLUSTER_AGENT_DOMAIN_PROXY_CAUSE_H_
#define MC_CLUSTER_AGENT_DOMAIN_PROXY_CAUSE_H_

#include <string>

#include "common/tls/probe.h"

namespace mc::agent {

// What a probe through a proxy saw that explains it, and what to do, in one
// clause; empty: as far as the probe goes all is well, or what failed is behind
// the proxy and TLS.
std::string CauseOf(const ProbeResult& result, const ProbeOptions& options);

// What to do about a proxy's refusal.
std::string ProxyAdvice(const ProxyAnswer& answer, bool has_user);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_PROXY_CAUSE_H_

// The names by which the master and the nodes of a site know each other.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_IDENTITY_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_IDENTITY_H_

#include <string>
#include <string_view>

namespace mc::agent {

// The only name in the master's server certificate. Nodes check it instead of
// the address that they connect to, so that the master can be moved.
inline constexpr char kMasterName[] = "master.site.internal";

// The URI in a node's certificate: spiffe://<cluster ID>/node/<node ID>.
std::string NodeUri(std::string_view cluster_id, std::string_view node_id);

// Whether it is a UUID in lower case, of any version.
bool IsNodeId(std::string_view text);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_SITE_IDENTITY_H_

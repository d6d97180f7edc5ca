// A Lease in the JSON of the API server.
#ifndef MC_CLUSTER_AGENT_MASTERSHIP_LEASE_JSON_H_
#define MC_CLUSTER_AGENT_MASTERSHIP_LEASE_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cluster-agent/mastership/lease_api.h"

namespace mc::agent {

// DATA_LOSS: it is no Lease.
absl::StatusOr<Lease> ParseLease(std::string_view json);

// The object that `lease` came from with what it says now, or a new one. What
// others wrote into the object stays.
absl::StatusOr<std::string> LeaseJson(const Lease& lease,
                                      std::string_view name_space,
                                      std::string_view name);

// What the API server says is wrong, from its answer; empty: nothing.
std::string MessageOf(std::string_view json);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_MASTERSHIP_LEASE_JSON_H_

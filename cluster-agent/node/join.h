// How a node gets its place in a site.
#ifndef MC_CLUSTER_AGENT_NODE_JOIN_H_
#define MC_CLUSTER_AGENT_NODE_JOIN_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/exchange/in_flight.h"
#include "cluster-agent/state/node_state.h"
#include "common/time/clock.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

// The node's state where the configuration says, with its ID derived from the
// machine ID where that is configured.
absl::StatusOr<NodeState> OpenNodeState(
    const missioncontrol::config::v1::AgentConfig& values);

struct JoinOptions {
  // host:port of the master's join port.
  std::string address;
  // A secret.
  std::string token;
  std::string agent_version;
  SharedNodeState* state = nullptr;
  InFlight* in_flight = nullptr;
  const Clock* clock = nullptr;
};

// Joins, or joins again with a fresh key, and keeps what was answered. Waits,
// half a minute at most. The token is sent only to a server whose certificate
// comes from the CA that the token names. UNAVAILABLE: nobody answers.
// UNAUTHENTICATED: the server is another's; nothing was sent.
// PERMISSION_DENIED (JOIN_TOKEN_REFUSED), and what else Join and NodeState
// return. Every error says what to do.
absl::Status JoinSite(const JoinOptions& options);

// A channel within the site. `certificate_pem` and `key_pem` are empty on the
// join port.
absl::StatusOr<std::shared_ptr<grpc::Channel>> SiteChannel(
    const std::string& address, const std::string& site_ca_pem,
    const std::string& certificate_pem, const std::string& key_pem);

// Where nodes report: what the master told, at the host where they joined
// when it told no host.
std::string NodeAddress(const std::string& told, const std::string& joined_at);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_NODE_JOIN_H_

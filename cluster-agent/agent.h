// The running agent: builds all parts, runs them, and ends them in order.
#ifndef MC_CLUSTER_AGENT_AGENT_H_
#define MC_CLUSTER_AGENT_AGENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/time/clock.h"

namespace mc::agent {

class Agent {
 public:
  struct Options {
    CheckedConfiguration checked;
    Clock* clock = nullptr;
    // The value of MC_JOIN_TOKEN, which takes the place of
    // site.join_token_file; empty: not set. A secret.
    std::string join_token = {};
    // The value of MC_ENROLLMENT_TOKEN; empty: not set. A secret.
    std::string enrollment_token = {};
    // Random, new at every start.
    std::string instance_id;
  };

  // Opens the state, listens on the two sockets and begins the exchanges. Every
  // error is one line that says what to do.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(Options options);

  virtual ~Agent() = default;

  // Ends in order: intake first, then the streams, then the files. Blocks.
  virtual void Stop() = 0;
};

// The version of this program.
const char* AgentVersion();

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_AGENT_H_

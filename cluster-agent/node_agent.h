// The running agent of a node that is not its site's master.
#ifndef MC_CLUSTER_AGENT_NODE_AGENT_H_
#define MC_CLUSTER_AGENT_NODE_AGENT_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/config/node_config.h"
#include "common/time/clock.h"

namespace mc::agent {

class NodeAgent {
 public:
  struct Options {
    CheckedConfiguration checked;
    JoinTokenSource token;
    Clock* clock = nullptr;
    // Told once when the agent can do nothing more without a person; failure()
    // says why.
    std::function<void()> on_failed;
  };

  // Opens the state, listens on the two sockets, and speaks with the master
  // and with nobody else. Every error is one line that says what to do.
  static absl::StatusOr<std::unique_ptr<NodeAgent>> Start(Options options);

  virtual ~NodeAgent() = default;

  // Ends in order. Blocks.
  virtual void Stop() = 0;
  virtual absl::Status failure() const = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_NODE_AGENT_H_

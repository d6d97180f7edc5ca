// Both sockets of an agent, where its configuration puts them.
#ifndef MC_CLUSTER_AGENT_LOCAL_LOCAL_SOCKETS_H_
#define MC_CLUSTER_AGENT_LOCAL_LOCAL_SOCKETS_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/local/local_server.h"

namespace mc::agent {

class LocalSockets {
 public:
  // Makes the directory of the sockets where it is missing. Every error is one
  // line that says what to do.
  static absl::StatusOr<std::unique_ptr<LocalSockets>> Open(
      const Configuration& configuration, const LocalDeps& deps);

  // Takes no new calls, and waits for those under way; at most `grace` each.
  void Stop(absl::Duration grace);

 private:
  LocalSockets(std::unique_ptr<LocalServer> admin,
               std::unique_ptr<LocalServer> product)
      : admin_(std::move(admin)), product_(std::move(product)) {}

  const std::unique_ptr<LocalServer> admin_;
  const std::unique_ptr<LocalServer> product_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_LOCAL_LOCAL_SOCKETS_H_

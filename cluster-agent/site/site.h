// The master's side of a site of several nodes, as one part of the agent.
#ifndef MC_CLUSTER_AGENT_SITE_SITE_H_
#define MC_CLUSTER_AGENT_SITE_SITE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/site/node_registry.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "cluster-agent/site/site_server.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

// Thread-safe but for Listen and Stop.
class Site {
 public:
  struct Options {
    // Checked, with defaults; outlives this. So do all that follow.
    const missioncontrol::config::v1::Site* values = nullptr;
    std::string state_directory;
    // Where site-ports.json is put.
    std::string socket_directory;
    std::string cluster_id;
    std::string master_node_id;
    std::string master_instance_id;
    const Clock* clock = nullptr;
    Executor* executor = nullptr;
    TimerQueue* timers = nullptr;
    // As in NodeRegistry::Options, both.
    EventSink* events = nullptr;
    std::function<absl::StatusOr<std::string>()> standing_token;
    // As in SiteDeps.
    std::function<bool()> is_master;
    std::function<void(const std::string& instance_id)> on_other_master;
  };

  // Opens or makes the CA, and reads who has joined.
  static absl::StatusOr<std::unique_ptr<Site>> Open(Options options);

  // Begins to serve, and writes {"join": 8450, "nodes": 8451} with the ports
  // that were taken.
  absl::Status Listen();

  NodeRegistry* registry() { return registry_.get(); }

  // Before the timers and the executor stop. Blocks.
  void Stop(absl::Duration grace);

 private:
  Site(Options options, SiteAuthority authority)
      : options_(std::move(options)), authority_(std::move(authority)) {}

  std::string PortsFile() const;
  // Each runs again and again.
  void WatchSilence();
  void KeepReports();

  const Options options_;
  const SiteAuthority authority_;
  std::unique_ptr<NodeRegistry> registry_;
  std::unique_ptr<SiteServer> server_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_SITE_H_

// What the product has described of itself: node, ActiveGates, environments.
#ifndef MC_CLUSTER_AGENT_DOMAIN_DESCRIPTION_DESCRIPTION_H_
#define MC_CLUSTER_AGENT_DOMAIN_DESCRIPTION_DESCRIPTION_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// In memory, and in a small JSON file each, so that a restart of the agent
// does not forget it. Thread-safe; the setters wait for the disk, and nothing
// has changed when they fail.
class Description {
 public:
  // Reads what an earlier run kept in `directory`. DATA_LOSS for a file that is
  // not what the agent wrote.
  static absl::StatusOr<std::unique_ptr<Description>> Open(
      const std::string& directory);

  // Each replaces what was described before.
  absl::Status SetNode(const missioncontrol::v1::DescribeNodeRequest& node);
  absl::Status SetActiveGates(
      const missioncontrol::v1::DescribeActiveGatesRequest& active_gates);
  absl::Status SetEnvironments(
      const missioncontrol::v1::DescribeEnvironmentsRequest& environments);

  // Empty messages before the first description.
  missioncontrol::v1::DescribeNodeRequest node() const;
  missioncontrol::v1::DescribeActiveGatesRequest active_gates() const;
  missioncontrol::v1::DescribeEnvironmentsRequest environments() const;

 private:
  explicit Description(std::string directory)
      : directory_(std::move(directory)) {}

  const std::string directory_;
  // Held over the write to the disk: the last setter wins in both places.
  absl::Mutex write_mutex_;
  mutable absl::Mutex mutex_;
  missioncontrol::v1::DescribeNodeRequest node_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::DescribeActiveGatesRequest active_gates_
      ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::DescribeEnvironmentsRequest environments_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_DESCRIPTION_DESCRIPTION_H_

// Another agent that speaks for this cluster at the same time: its state was
// copied, or two were started on purpose.
#ifndef MC_CLUSTER_AGENT_DOMAIN_MASTERSHIP_OTHER_MASTER_H_
#define MC_CLUSTER_AGENT_DOMAIN_MASTERSHIP_OTHER_MASTER_H_

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/errors.pb.h"
#include "missioncontrol/v1/site.pb.h"

namespace mc::agent {

// What tells of it. Each occurrence is logged once. Thread-safe.
class OtherMaster {
 public:
  // `window`: what was seen longer ago tells of nobody any more. Three
  // intervals of the heartbeat, or three of the pauses after which an agent
  // that was superseded comes back, whichever is longer.
  OtherMaster(const Clock* clock, absl::Duration window)
      : clock_(clock), window_(window) {}

  // A heartbeat stream ended with this reason. Superseded once is what a
  // restart does; twice within the window is another agent, and so is what
  // the service calls a clone.
  void StreamEnded(missioncontrol::v1::ErrorReason reason)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A node of the site was answered by this master (see IsOtherMaster).
  void SeenByNode(std::string_view instance_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Who, and what to do, for people; empty: nobody was seen in the window.
  std::string Text() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void See(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Recent(absl::Duration since_boot) const {
    return clock_->SinceBoot() - since_boot <= window_;
  }

  const Clock* const clock_;
  const absl::Duration window_;
  mutable absl::Mutex mutex_;
  // Since boot.
  absl::Duration superseded_at_ ABSL_GUARDED_BY(mutex_) =
      -absl::InfiniteDuration();
  absl::Duration seen_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

// Whether a node's Hello tells of a master beside this one: another instance
// answered it less than `silent_after` ago, and later than this master's start
// (`since_start` ago), so that it is not the one before.
bool IsOtherMaster(const missioncontrol::v1::NodeHello& hello,
                   std::string_view own_instance_id,
                   absl::Duration silent_after, absl::Duration since_start);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_MASTERSHIP_OTHER_MASTER_H_

// A sink that keeps what is raised, for tests.
#ifndef MC_CLUSTER_AGENT_DOMAIN_EVENTS_RECORDING_SINK_H_
#define MC_CLUSTER_AGENT_DOMAIN_EVENTS_RECORDING_SINK_H_

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/domain/events/event_sink.h"

namespace mc::agent {

// Thread-safe.
class RecordingSink final : public EventSink {
 public:
  void Raise(missioncontrol::v1::ClusterEvent event) override {
    absl::MutexLock lock(&mutex_);
    events_.push_back(std::move(event));
  }
  std::vector<missioncontrol::v1::ClusterEvent> events() const {
    absl::MutexLock lock(&mutex_);
    return events_;
  }
  // Waits for that many; gives up after a minute.
  std::vector<missioncontrol::v1::ClusterEvent> WaitFor(size_t count) const {
    const auto enough = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return events_.size() >= count;
    };
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Minutes(1));
    return events_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<missioncontrol::v1::ClusterEvent> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_EVENTS_RECORDING_SINK_H_

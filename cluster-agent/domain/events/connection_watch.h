// Tells when the connection to the service was lost, and when it is back.
#ifndef MC_CLUSTER_AGENT_DOMAIN_EVENTS_CONNECTION_WATCH_H_
#define MC_CLUSTER_AGENT_DOMAIN_EVENTS_CONNECTION_WATCH_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"

namespace mc::agent {

// Thread-safe. An outage that is over before `shortest` is not told: a restart
// of the service, or a connection that a middlebox cut, takes a second or two.
class ConnectionWatch {
 public:
  struct Options {
    const Clock* clock = nullptr;
    // Stopped before this goes.
    TimerQueue* timers = nullptr;
    EventSink* events = nullptr;
    absl::Duration shortest = absl::Seconds(5);
    // The last event of a connection that an earlier run has told: an outage
    // that it was in goes on.
    std::optional<missioncontrol::v1::ClusterEvent> last;
  };
  explicit ConnectionWatch(Options options);

  // The service did not answer; it has answered. Either may come again.
  void Lost() ABSL_LOCKS_EXCLUDED(mutex_);
  void Restored() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Outage {
    absl::Time since;
    // When it was noticed, and for how long it had been by then.
    absl::Duration noticed;
    absl::Duration before;
    bool told = false;
  };
  void TellIfStillLost(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);
  void TellLost(absl::Time since);

  const Options options_;
  absl::Mutex mutex_;
  std::optional<Outage> outage_ ABSL_GUARDED_BY(mutex_);
  // Of the outage.
  uint64_t number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_EVENTS_CONNECTION_WATCH_H_

// Tells when this machine's clock differs from the service's.
#ifndef MC_CLUSTER_AGENT_DOMAIN_EVENTS_CLOCK_WATCH_H_
#define MC_CLUSTER_AGENT_DOMAIN_EVENTS_CLOCK_WATCH_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/events/event_sink.h"

namespace mc::agent {

// Thread-safe.
class ClockWatch {
 public:
  ClockWatch(absl::Duration tolerance, EventSink* events)
      : tolerance_(tolerance), events_(events) {}

  // One call: when it was sent and answered by this clock, and the service's
  // time in the answer, which is taken for the middle. The real difference may
  // be half of the round trip more or less; it is told where it is beyond the
  // tolerance in any case: once when it begins, and again when it has changed
  // by more than the tolerance and a quarter of what was told.
  void Measured(absl::Time sent, absl::Time answered, absl::Time service)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::Duration tolerance_;
  EventSink* const events_;
  absl::Mutex mutex_;
  // Absent: the clocks agree.
  std::optional<absl::Duration> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_EVENTS_CLOCK_WATCH_H_

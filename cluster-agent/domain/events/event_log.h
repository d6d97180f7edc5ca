// Raised events on their way into the outbox, and the outbox's own troubles.
#ifndef MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_LOG_H_
#define MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_LOG_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "common/time/clock.h"

namespace mc::agent {

// Thread-safe.
class EventLog final : public EventSink {
 public:
  // What became of an event.
  using Recorded = std::function<void(const absl::Status&)>;

  struct Options {
    const Clock* clock = nullptr;
    // Keeps one event; returns at once. Not called after Stop.
    std::function<void(missioncontrol::v1::ClusterEvent, Recorded)> record;
    // Something waits to be sent.
    std::function<void()> wake;
    // Events that were dropped are told once in this time at most: each telling
    // may cost another one.
    absl::Duration dropped_pause = absl::Hours(1);
  };

  explicit EventLog(Options options) : options_(std::move(options)) {}

  void Raise(missioncontrol::v1::ClusterEvent event) override;

  // An OUTBOX_TROUBLE. `problem` names no path.
  void RaiseTrouble(const std::string& problem, int64_t affected_rows);
  // Some were kept.
  void Kept();
  // Had to be dropped, and could not be sent until now. It is told only now,
  // for while events are dropped what tells of it would be dropped, too.
  void Dropped(int64_t reports) ABSL_LOCKS_EXCLUDED(mutex_);
  // The event of the beginning finds no space, as a rule; that of the end says
  // how long it lasted.
  void DiskFull(bool full);

  // Nothing is raised any more.
  void Stop();

  // Events that could not be kept since the start.
  int64_t not_kept() const;

 private:
  const Options options_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t not_kept_ ABSL_GUARDED_BY(mutex_) = 0;
  // Dropped and not told yet.
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  // By the time since boot.
  absl::Duration dropped_told_at_ ABSL_GUARDED_BY(mutex_) =
      -absl::InfiniteDuration();
  absl::Duration full_since_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_LOG_H_

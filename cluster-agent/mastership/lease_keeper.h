// Gets a Lease and keeps it, on threads of its own.
#ifndef MC_CLUSTER_AGENT_MASTERSHIP_LEASE_KEEPER_H_
#define MC_CLUSTER_AGENT_MASTERSHIP_LEASE_KEEPER_H_

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/mastership/election.h"
#include "common/retry/backoff.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"

namespace mc::agent {

// Thread-safe. It holds the Lease once in its life: who has lost it begins
// anew, as another instance.
class LeaseKeeper {
 public:
  struct Options {
    LeaseApi* api = nullptr;
    const Clock* clock = nullptr;
    std::string identity;
    // For people.
    std::string lease_name;
    // The first is longer than the second, and that than the third.
    absl::Duration lease_duration;
    absl::Duration renew_deadline;
    absl::Duration retry_period;
    UniformDraw draw;
    // Each is called at most once, on a thread of the keeper that it must not
    // block. This agent holds the Lease:
    std::function<void()> on_held;
    // It was not renewed for renew_deadline, or another one holds it. From now
    // on it is not renewed any more:
    std::function<void()> on_lost;
    // Another one may hold it in a moment:
    std::function<void()> on_expired;
  };
  explicit LeaseKeeper(Options options);
  // Does not give it back.
  ~LeaseKeeper();

  // Begins. May be called once.
  void Start();

  // What it waits for, for people; empty once it holds the Lease.
  std::string WaitingFor() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends, and gives the Lease back where it is held. Blocks for at most a few
  // calls of the API.
  absl::Status Release();

 private:
  enum class State { kWaiting, kHeld, kLost };

  // Runs on attempts_ alone, and schedules itself again.
  void Attempt() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns whether that is the first time.
  bool Note(const absl::Status& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sets the guards by the last renewal.
  void Guard() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Since boot: when this agent stops to be the master, and by when its parts
  // must have ended.
  absl::Duration Deadline() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Duration Expiry() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // False where the Lease was renewed while the guard began to run.
  bool Passed(absl::Duration (LeaseKeeper::*time)() const) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Lose(const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  // Used by attempts_ alone, and after its end.
  Election election_;
  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kWaiting;
  // Since boot; of the Lease that is held.
  absl::Duration renewed_at_ ABSL_GUARDED_BY(mutex_);
  std::string holder_ ABSL_GUARDED_BY(mutex_);
  // Why the last attempt failed, where it was not for another holder.
  std::string problem_ ABSL_GUARDED_BY(mutex_);
  TimerQueue::TimerId deadline_ ABSL_GUARDED_BY(mutex_) = 0;
  TimerQueue::TimerId expiry_ ABSL_GUARDED_BY(mutex_) = 0;
  // A call of the API that hangs must not delay the guards.
  TimerQueue guards_;
  TimerQueue attempts_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_MASTERSHIP_LEASE_KEEPER_H_

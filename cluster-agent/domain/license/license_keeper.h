// The agent's license: what it allows now, kept for outages.
#ifndef MC_CLUSTER_AGENT_DOMAIN_LICENSE_LICENSE_KEEPER_H_
#define MC_CLUSTER_AGENT_DOMAIN_LICENSE_LICENSE_KEEPER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/documents/key_ring.h"
#include "cluster-agent/domain/events/event_sink.h"
#include "cluster-agent/domain/license/contact.h"
#include "cluster-agent/domain/license/license_events.h"
#include "cluster-agent/state/state_directory.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"
#include "missioncontrol/v1/license.pb.h"

namespace mc::agent {

struct LicenseState {
  // The last verified one; absent before the first.
  std::optional<missioncontrol::v1::LicenseDocument> license;
  std::optional<absl::Time> verified_at;
  missioncontrol::v1::LicenseAnswer answer;
};

// Thread-safe. The answer changes with what the service says, when it cannot
// be reached, and by itself when a deadline is over. license.json and
// contact.json keep what it depends on.
class LicenseKeeper {
 public:
  // Called after each change, on any thread and without a lock held; it must
  // not block. What holds then is for Get() to say.
  using Watcher = std::function<void()>;

  struct Options {
    const Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    Executor* executor = nullptr;
    SharedState* state = nullptr;
    // Null: nobody wants to know.
    EventSink* events = nullptr;
    // Of this boot of the machine; empty: unknown.
    std::string boot_id;
  };
  explicit LicenseKeeper(Options options);
  // After the timers and the executor have stopped, and no watcher is left.
  ~LicenseKeeper() = default;

  // Takes up what is kept, once the registration's keys are known. What cannot
  // be read or believed is logged and left out: production goes on.
  void Load(const DocumentKeys& keys) ABSL_LOCKS_EXCLUDED(mutex_);

  // What CheckLicense has answered: keys that follow others are kept first,
  // then the license is verified with them, acts, and is kept. The error says
  // why it is not believed, or why it could not be kept. Waits for the disk.
  absl::Status Answered(const missioncontrol::v1::CheckLicenseResponse& answer,
                        KeyRing& keys) ABSL_LOCKS_EXCLUDED(mutex_);
  // CheckLicense got no answer that holds.
  void NotAnswered() ABSL_LOCKS_EXCLUDED(mutex_);

  LicenseState Get() const ABSL_LOCKS_EXCLUDED(mutex_);

  // For as long as the caller keeps what it gave.
  void Watch(const std::shared_ptr<Watcher>& watcher)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Keeps the offline time as it is now. Waits for the disk.
  void Note() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Watchers = std::vector<std::shared_ptr<Watcher>>;
  // What is to be told once the lock is free.
  struct News {
    std::vector<missioncontrol::v1::ClusterEvent> events;
    // Absent: it is as it was.
    std::optional<missioncontrol::v1::LicenseAnswer> changed;
    Watchers watchers;
  };

  LicenseSituation Situation() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Looks what has changed, and when to look again.
  News Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const News& news) ABSL_LOCKS_EXCLUDED(mutex_);
  void ScheduleTick(absl::Duration delay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FollowKeys(
      const missioncontrol::v1::CheckLicenseResponse& answer, KeyRing& keys);
  absl::Status Keep(const missioncontrol::config::v1::AgentLicense& kept)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Under the state's lock, so that an older one never replaces a newer.
  absl::Status SaveContact() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::optional<missioncontrol::v1::LicenseDocument> license_
      ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Time> verified_at_ ABSL_GUARDED_BY(mutex_);
  Contact contact_ ABSL_GUARDED_BY(mutex_);
  bool unreachable_ ABSL_GUARDED_BY(mutex_) = false;
  ToldLicense told_ ABSL_GUARDED_BY(mutex_);
  // What the watchers were told last, serialized.
  std::string shown_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  std::optional<TimerQueue::TimerId> timer_ ABSL_GUARDED_BY(mutex_);
  // When contact.json was written last, since boot.
  absl::Duration noted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_LICENSE_LICENSE_KEEPER_H_

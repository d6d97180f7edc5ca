// What time it is for billing, whatever is done to the machine's clock.
#ifndef MC_CLUSTER_AGENT_DOMAIN_USAGE_BILLING_TIME_H_
#define MC_CLUSTER_AGENT_DOMAIN_USAGE_BILLING_TIME_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// By how much this machine's clock may differ from the service's and still be
// the one that counts.
inline constexpr absl::Duration kClockTolerance = absl::Minutes(5);

// Thread-safe.
//
// The service's time, once it is known, and the time since boot tell which
// clock is right. Before that nobody knows: usage is stamped by the wall clock,
// and time frames are closed by the slower one of the wall clock and of the
// time since the start. A frame that stays open is only late; one that is
// closed too early would be billed early. The service is heard before anything
// is sent to it, so nothing waits for long.
class BillingTime {
 public:
  // The clock outlives this.
  explicit BillingTime(const Clock* clock);

  // The service's clock shows `time` now.
  void Anchor(absl::Time time) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Reading {
    // For what is recorded now.
    absl::Time now;
    // Frames that end after it are not closed.
    absl::Time close_until;
    // This machine's clock, as the product reads it.
    absl::Time wall;
    // Whether the service's time is known: `now` is right.
    bool anchored = false;
  };
  Reading Read() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Clock* const clock_;
  // The wall clock at the start, less the time since boot.
  const absl::Time start_;
  mutable absl::Mutex mutex_;
  // The service's time, less the time since boot.
  std::optional<absl::Time> anchor_ ABSL_GUARDED_BY(mutex_);
};

// Moves a record that was stamped by a clock that is known to be off: one that
// lies in the future, or, where the clock is behind, one of this clock's last
// hour. Others are late usage and stay. False: it stays as it is. The record
// has a valid time.
bool CorrectTime(const BillingTime::Reading& time,
                 missioncontrol::v1::UsageRecord& record);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_USAGE_BILLING_TIME_H_

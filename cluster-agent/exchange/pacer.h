// When an exchange takes place again.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_PACER_H_
#define MC_CLUSTER_AGENT_EXCHANGE_PACER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/retry/backoff.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc::agent {

// How much of an interval the jitter takes away at most.
inline constexpr double kJitter = 0.1;
// What the service may ask for at most.
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(1);

// The service could not be reached, or is stopping: nothing was decided.
bool IsUnreachable(const absl::Status& status);

// An authoritative no: the same call gets the same answer until a person has
// changed something.
bool IsRefusal(const absl::Status& status);

// A refusal for people: what it means and what to do.
std::string Advice(const absl::Status& refusal);

// The service's wish for an interval, within a tenth and ten times of ours.
absl::Duration BoundedInterval(absl::Duration configured,
                               const missioncontrol::v1::Pacing& pacing);

// How long nothing may be tried again, by the service's wish: from zero to
// kMaxRetryAfter.
absl::Duration RetryAfter(const absl::Status& status,
                          const missioncontrol::v1::Pacing& pacing);

// Not thread-safe.
class Pacer {
 public:
  struct Options {
    // Infinite: once it has succeeded it does not take place again by itself.
    absl::Duration interval;
    // The first and the longest pause after failures.
    absl::Duration backoff_initial;
    absl::Duration backoff_max;
  };
  Pacer(const Options& options, UniformDraw draw);

  // The pause before the next attempt, after one that ended like this.
  absl::Duration After(const absl::Status& status,
                       const missioncontrol::v1::Pacing& pacing);

  // For streams: the pause between two messages, and that one was answered.
  absl::Duration Interval(const missioncontrol::v1::Pacing& pacing);
  void Answered() { backoff_.Reset(); }

 private:
  const Options options_;
  UniformDraw draw_;
  Backoff backoff_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_PACER_H_

// How often one address may try to join.
#ifndef MC_CLUSTER_AGENT_DOMAIN_SITE_ATTEMPT_LIMIT_H_
#define MC_CLUSTER_AGENT_DOMAIN_SITE_ATTEMPT_LIMIT_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"

namespace mc::agent {

// A bucket for each address: 20 attempts at once, and one more every two
// seconds. Many nodes may come from one address behind a translation; those
// that are refused come back. Thread-safe.
class AttemptLimit {
 public:
  static constexpr int kBurst = 20;
  static constexpr absl::Duration kInterval = absl::Seconds(2);
  // How many addresses are remembered; further ones wait.
  static constexpr size_t kMaxAddresses = 4096;

  explicit AttemptLimit(const Clock* clock) : clock_(clock) {}

  // `peer` as gRPC names it, for instance ipv4:10.0.0.7:40112.
  // RESOURCE_EXHAUSTED (OVERLOADED) with the time to wait.
  absl::Status Attempt(std::string_view peer) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Clock* const clock_;
  absl::Mutex mutex_;
  // When the bucket of an address is full again, since boot.
  std::map<std::string, absl::Duration> full_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_SITE_ATTEMPT_LIMIT_H_

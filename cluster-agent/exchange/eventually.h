// For tests: waiting for what another thread does.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_EVENTUALLY_H_
#define MC_CLUSTER_AGENT_EXCHANGE_EVENTUALLY_H_

#include "absl/functional/function_ref.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace mc::agent {

// Looks every real millisecond, a minute at most.
inline bool Eventually(absl::FunctionRef<bool()> condition) {
  const absl::Notification never;
  for (int i = 0; i < 60'000; ++i) {
    if (condition()) return true;
    never.WaitForNotificationWithTimeout(absl::Milliseconds(1));
  }
  return condition();
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_EVENTUALLY_H_

#include "cluster-agent/domain/site/attempt_limit.h"

#include <algorithm>

#include "common/status/status.h"

namespace mc::agent {

absl::Status AttemptLimit::Attempt(std::string_view peer) {
  // Each connection has a port of its own.
  const std::string address(peer.substr(0, peer.rfind(':')));
  const absl::Duration now = clock_->SinceBoot();
  absl::Duration wait;
  {
    absl::MutexLock lock(&mutex_);
    if (full_at_.size() >= kMaxAddresses) {
      std::erase_if(full_at_,
                    [now](const auto& entry) { return entry.second <= now; });
    }
    auto entry = full_at_.find(address);
    if (entry == full_at_.end() && full_at_.size() < kMaxAddresses) {
      entry = full_at_.emplace(address, now).first;
    }
    if (entry == full_at_.end()) {
      wait = kInterval * kBurst;
    } else {
      const absl::Duration next = std::max(now, entry->second) + kInterval;
      wait = next - now - kInterval * kBurst;
      if (wait <= absl::ZeroDuration()) {
        entry->second = next;
        return absl::OkStatus();
      }
    }
  }
  return WithRetryDelay(
      Error(absl::StatusCode::kResourceExhausted,
            missioncontrol::v1::ERROR_REASON_OVERLOADED,
            "too many attempts to join from this address; try again later"),
      wait);
}

}  // namespace mc::agent

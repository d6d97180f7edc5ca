#include "mc-service/api/report_shares.h"

#include <utility>

namespace mc::service {

bool ReportShares::TakeLocked(std::string_view cluster_id) {
  auto found = shares_.find(cluster_id);
  if (found == shares_.end()) {
    found = shares_.try_emplace(std::string(cluster_id)).first;
  }
  if (found->second.taken >= max_) return false;
  ++found->second.taken;
  return true;
}

bool ReportShares::Take(std::string_view cluster_id) {
  absl::MutexLock lock(&mutex_);
  return TakeLocked(cluster_id);
}

void ReportShares::TakeOrWait(std::string_view cluster_id, Resume resume) {
  {
    absl::MutexLock lock(&mutex_);
    if (!TakeLocked(cluster_id)) {
      shares_.find(cluster_id)->second.waiting.push_back(std::move(resume));
      return;
    }
  }
  resume();
}

void ReportShares::Release(std::string_view cluster_id) {
  Resume resume;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = shares_.find(cluster_id);
    Share& share = found->second;
    if (share.waiting.empty()) {
      if (--share.taken == 0) shares_.erase(found);
      return;
    }
    // Its place goes to the one that waited longest.
    resume = std::move(share.waiting.front());
    share.waiting.pop_front();
  }
  resume();
}

}  // namespace mc::service

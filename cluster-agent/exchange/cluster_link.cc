#include "cluster-agent/exchange/cluster_link.h"

#include "cluster-agent/domain/identity/renewal_plan.h"

namespace mc::agent {

std::shared_ptr<ClusterLink> CurrentLink::Get() const {
  absl::MutexLock lock(&mutex_);
  return link_;
}

void CurrentLink::BeginProof() {
  absl::MutexLock lock(&mutex_);
  proving_ = true;
}

void CurrentLink::Set(std::shared_ptr<ClusterLink> link) {
  EndProof(std::move(link));
}

void CurrentLink::GiveUp() { EndProof(Get()); }

void CurrentLink::EndProof(std::shared_ptr<ClusterLink> link) {
  std::vector<std::function<void()>> waiting;
  {
    absl::MutexLock lock(&mutex_);
    proving_ = false;
    // The older one goes after the lock, with its last call.
    link_.swap(link);
    waiting.swap(waiting_);
  }
  for (const std::function<void()>& retry : waiting) retry();
}

bool CurrentLink::TryElsewhere(const absl::Status& status,
                               const std::shared_ptr<ClusterLink>& link,
                               std::function<void()> retry) {
  if (VerdictOf(status) == Verdict::kNone) return false;
  {
    absl::MutexLock lock(&mutex_);
    if (link == link_ && !proving_) return false;
    if (link == link_) {
      waiting_.push_back(std::move(retry));
      return true;
    }
  }
  retry();
  return true;
}

}  // namespace mc::agent

#include "mc-service/domain/presence/masters.h"

#include <algorithm>
#include <utility>

namespace mc::service {
namespace {

// That many clones of one cluster that take turns are recognized.
constexpr size_t kMaxPast = 4;

}  // namespace

Masters::Verdict Masters::Speaks(std::string_view instance, absl::Time at,
                                 absl::Duration window) {
  if (instance == instance_) return Verdict::kUsual;
  past_.erase(std::remove_if(
                  past_.begin(), past_.end(),
                  [&](const Past& past) { return at - past.until > window; }),
              past_.end());
  const auto known =
      std::find_if(past_.begin(), past_.end(),
                   [&](const Past& past) { return past.instance == instance; });
  const bool clone = known != past_.end();
  if (clone) {
    past_.erase(known);
    if (!Suspected(at, window)) suspects_.clear();
    Suspect(instance_);
    Suspect(instance);
  }
  if (!instance_.empty()) {
    if (past_.size() == kMaxPast) past_.erase(past_.begin());
    past_.push_back({std::move(instance_), at});
  }
  instance_ = std::string(instance);
  if (!clone) return Verdict::kUsual;
  const bool begins = !Suspected(at, window);
  suspected_at_ = at;
  return begins ? Verdict::kCloneBegins : Verdict::kCloneGoesOn;
}

void Masters::Suspect(std::string_view instance) {
  if (std::find(suspects_.begin(), suspects_.end(), instance) ==
      suspects_.end()) {
    if (suspects_.size() == kMaxPast) suspects_.erase(suspects_.begin());
    suspects_.emplace_back(instance);
  }
}

void Masters::EndSuspicion() {
  past_.clear();
  suspects_.clear();
  suspected_at_ = absl::InfinitePast();
}

}  // namespace mc::service

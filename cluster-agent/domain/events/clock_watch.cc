#include "cluster-agent/domain/events/clock_watch.h"

#include <algorithm>
#include <utility>

namespace mc::agent {

namespace v1 = missioncontrol::v1;

void ClockWatch::Measured(absl::Time sent, absl::Time answered,
                          absl::Time service) {
  const absl::Duration half = (answered - sent) / 2;
  // Somebody set the clock meanwhile.
  if (half < absl::ZeroDuration()) return;
  const absl::Duration offset = sent + half - service;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::AbsDuration(offset) + half <= tolerance_) told_.reset();
    if (absl::AbsDuration(offset) - half <= tolerance_) return;
    if (told_.has_value() &&
        absl::AbsDuration(offset - *told_) <=
            std::max(tolerance_, absl::AbsDuration(*told_) / 4) + half) {
      return;
    }
    told_ = offset;
  }
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_CLOCK_OUT_OF_SYNC);
  event.mutable_clock()->set_offset_milliseconds(
      absl::ToInt64Milliseconds(offset));
  events_->Raise(std::move(event));
}

}  // namespace mc::agent

#include "cluster-agent/domain/events/connection_watch.h"

#include <algorithm>
#include <utility>

#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

}  // namespace

ConnectionWatch::ConnectionWatch(Options options)
    : options_(std::move(options)) {
  if (!options_.last.has_value() ||
      options_.last->type() != v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST) {
    return;
  }
  const absl::Time now = options_.clock->Now();
  const absl::Time since =
      FromProto(options_.last->occurred_at()).value_or(now);
  absl::MutexLock lock(&mutex_);
  // The clock may have been set back since.
  outage_ = {since, options_.clock->SinceBoot(),
             std::max(absl::ZeroDuration(), now - since), /*told=*/true};
}

void ConnectionWatch::Lost() {
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (outage_.has_value()) return;
    outage_ = {options_.clock->Now(), options_.clock->SinceBoot(),
               absl::ZeroDuration()};
    number = ++number_;
  }
  options_.timers->ScheduleAfter(options_.shortest,
                                 [this, number] { TellIfStillLost(number); });
}

void ConnectionWatch::TellIfStillLost(uint64_t number) {
  absl::Time since;
  {
    absl::MutexLock lock(&mutex_);
    if (!outage_.has_value() || number != number_ || outage_->told) return;
    outage_->told = true;
    since = outage_->since;
  }
  TellLost(since);
}

void ConnectionWatch::TellLost(absl::Time since) {
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_CONNECTION_LOST);
  *event.mutable_occurred_at() = mc::ToProto(since);
  event.mutable_connection();
  options_.events->Raise(std::move(event));
}

void ConnectionWatch::Restored() {
  std::optional<Outage> outage;
  {
    absl::MutexLock lock(&mutex_);
    outage = std::exchange(outage_, std::nullopt);
  }
  if (!outage.has_value()) return;
  const absl::Duration lasted =
      outage->before + (options_.clock->SinceBoot() - outage->noticed);
  if (!outage->told && lasted < options_.shortest) return;
  // The timer was late, for instance after a suspended machine.
  if (!outage->told) TellLost(outage->since);
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_CONNECTION_RESTORED);
  *event.mutable_connection()->mutable_outage() = mc::ToProto(lasted);
  options_.events->Raise(std::move(event));
}

}  // namespace mc::agent

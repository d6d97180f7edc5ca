#include "cluster-agent/domain/usage/billing_time.h"

#include <algorithm>

#include "cluster-agent/domain/usage/check.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

// What is recorded is mostly younger than this.
constexpr absl::Duration kFresh = absl::Hours(1);

void SetTime(const TimeFrame& used, missioncontrol::v1::UsageRecord& record) {
  const auto earliest = [](absl::Time time) {
    return mc::ToProto(std::max(time, absl::UnixEpoch()));
  };
  if (!record.has_host()) {
    *record.mutable_used_at() = earliest(used.end);
    return;
  }
  missioncontrol::v1::TimeFrame& monitored =
      *record.mutable_host()->mutable_monitored();
  *monitored.mutable_start() = earliest(used.start);
  *monitored.mutable_end() = earliest(used.end);
}

}  // namespace

BillingTime::BillingTime(const Clock* clock)
    : clock_(clock), start_(clock->Now() - clock->SinceBoot()) {}

void BillingTime::Anchor(absl::Time time) {
  absl::MutexLock lock(&mutex_);
  anchor_ = time - clock_->SinceBoot();
}

BillingTime::Reading BillingTime::Read() const {
  const absl::Time wall = clock_->Now();
  const absl::Duration since_boot = clock_->SinceBoot();
  absl::MutexLock lock(&mutex_);
  if (!anchor_.has_value()) {
    const absl::Time elapsed = start_ + since_boot;
    return {.now = wall,
            .close_until = wall > elapsed + kClockTolerance ? elapsed : wall,
            .wall = wall,
            .anchored = false};
  }
  const absl::Time service = *anchor_ + since_boot;
  const bool off = absl::AbsDuration(wall - service) > kClockTolerance;
  const absl::Time now = off ? service : wall;
  return {.now = now, .close_until = now, .wall = wall, .anchored = true};
}

bool CorrectTime(const BillingTime::Reading& time,
                 missioncontrol::v1::UsageRecord& record) {
  if (!time.anchored) return false;
  const absl::StatusOr<TimeFrame> used = UsedDuring(record);
  if (!used.ok()) return false;
  const absl::Duration ahead = time.wall - time.now;
  if (used->end > time.now + kMaxUsageAhead) {
    // Where even this clock calls it the future, another one wrote it.
    const absl::Time end = std::min(used->end - ahead, time.now);
    // An interval that began before the clock jumped only ends too late.
    const absl::Time start =
        used->start < end ? used->start : end - (used->end - used->start);
    SetTime({start, end}, record);
    return true;
  }
  if (ahead < absl::ZeroDuration() && used->end >= time.wall - kFresh &&
      used->end <= time.wall + kMaxUsageAhead &&
      used->end < time.now - kFresh) {
    SetTime({used->start - ahead, used->end - ahead}, record);
    return true;
  }
  return false;
}

}  // namespace mc::agent

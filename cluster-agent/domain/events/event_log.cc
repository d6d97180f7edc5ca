#include "cluster-agent/domain/events/event_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/events/event.h"
#include "common/log/log.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

}  // namespace

void EventLog::Raise(v1::ClusterEvent event) {
  CompleteEvent(event, options_.clock->Now());
  const std::string type = v1::ClusterEventType_Name(event.type());
  const auto recorded = [this, type](const absl::Status& status) {
    if (status.ok()) return Kept();
    {
      absl::MutexLock lock(&mutex_);
      ++not_kept_;
    }
    LogWarning("an event was not kept",
               {{"type", type}, {"detail", std::string(status.message())}});
  };
  const absl::Status valid = CheckEvent(event);
  if (!valid.ok()) return recorded(valid);
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
  }
  LogInfo("event", {{"type", type}, {"event_id", event.event_id()}});
  options_.record(std::move(event), recorded);
}

void EventLog::RaiseTrouble(const std::string& problem, int64_t affected_rows) {
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_OUTBOX_TROUBLE);
  event.mutable_outbox()->set_problem(problem);
  event.mutable_outbox()->set_affected_rows(affected_rows);
  Raise(std::move(event));
}

void EventLog::Kept() { options_.wake(); }

void EventLog::Dropped(int64_t reports) {
  int64_t told = 0;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Duration now = options_.clock->SinceBoot();
    dropped_ += reports;
    if (now - dropped_told_at_ < options_.dropped_pause) return;
    dropped_told_at_ = now;
    told = std::exchange(dropped_, 0);
  }
  RaiseTrouble("more events waited than are kept: the oldest were dropped",
               told);
}

void EventLog::DiskFull(bool full) {
  absl::Duration lasted;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Duration now = options_.clock->SinceBoot();
    lasted = now - full_since_;
    if (full) full_since_ = now;
  }
  if (full) {
    LogError("the disk is full; nothing is acknowledged until there is space");
    return RaiseTrouble("the disk is full", 0);
  }
  LogInfo("the disk has space again");
  RaiseTrouble(absl::StrCat("the disk was full, for ",
                            absl::ToInt64Seconds(lasted), " seconds"),
               0);
}

void EventLog::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
}

int64_t EventLog::not_kept() const {
  absl::MutexLock lock(&mutex_);
  return not_kept_;
}

}  // namespace mc::agent

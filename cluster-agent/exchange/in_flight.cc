#include "cluster-agent/exchange/in_flight.h"

namespace mc::agent {

gpr_timespec DeadlineIn(absl::Duration duration) {
  return gpr_time_from_millis(absl::ToInt64Milliseconds(duration),
                              GPR_TIMESPAN);
}

bool InFlight::Add(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  contexts_.insert(context);
  return true;
}

void InFlight::Remove(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  contexts_.erase(context);
}

void InFlight::WaitUntil(Clock& clock, absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  clock.WaitUntil(mutex_, absl::Condition(this, &InFlight::None), deadline);
}

void InFlight::CancelAndWait() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  mutex_.Await(absl::Condition(this, &InFlight::None));
}

}  // namespace mc::agent

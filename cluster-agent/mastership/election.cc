#include "cluster-agent/mastership/election.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace mc::agent {

absl::Status Election::Attempt() {
  if (renewed_at_.has_value()) {
    const absl::Status renewed = Write(seen_);
    // Written by somebody else, or gone: to be looked at.
    if (!absl::IsAborted(renewed) && !absl::IsNotFound(renewed)) {
      return renewed;
    }
  }
  const absl::StatusOr<Lease> lease = options_.api->Get();
  if (absl::IsNotFound(lease.status())) return Write(Lease());
  if (!lease.ok()) return lease.status();
  See(*lease);
  if (!lease->holder.empty() && lease->holder != options_.identity) {
    renewed_at_.reset();
    const absl::Duration duration = lease->duration > absl::ZeroDuration()
                                        ? lease->duration
                                        : options_.lease_duration;
    if (options_.clock->SinceBoot() < seen_at_ + duration) {
      return absl::FailedPreconditionError(
          absl::StrCat("it is held by ", lease->holder));
    }
  }
  return Write(*lease);
}

void Election::See(const Lease& lease) {
  if (seen_at_ == absl::InfiniteDuration() || !(lease == seen_)) {
    seen_at_ = options_.clock->SinceBoot();
  }
  seen_ = lease;
}

absl::Status Election::Write(const Lease& from) {
  Lease next = from;
  next.holder = options_.identity;
  next.duration = options_.lease_duration;
  next.renewed_at = options_.clock->Now();
  if (from.holder != options_.identity) {
    next.acquired_at = next.renewed_at;
    if (!from.object.empty()) ++next.transitions;
  }
  // Before the request: nobody can have seen the new record earlier.
  const absl::Duration at = options_.clock->SinceBoot();
  const absl::StatusOr<Lease> written = from.object.empty()
                                            ? options_.api->Create(next)
                                            : options_.api->Update(next);
  if (!written.ok()) return written.status();
  See(*written);
  renewed_at_ = at;
  return absl::OkStatus();
}

absl::Status Election::Release() {
  if (!renewed_at_.has_value()) return absl::OkStatus();
  renewed_at_.reset();
  Lease next = seen_;
  next.holder.clear();
  // Nobody keeps it; the API server accepts no zero.
  next.duration = absl::Seconds(1);
  next.renewed_at = options_.clock->Now();
  return options_.api->Update(next).status();
}

}  // namespace mc::agent

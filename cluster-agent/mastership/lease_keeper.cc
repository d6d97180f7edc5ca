#include "cluster-agent/mastership/lease_keeper.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"

namespace mc::agent {
namespace {

// Those who wait do not all ask at the same moment.
constexpr double kJitter = 0.2;
// The part of the time between deadline and expiry that ending may take.
constexpr double kEndShare = 0.8;

}  // namespace

LeaseKeeper::LeaseKeeper(Options options)
    : options_(std::move(options)),
      election_({.api = options_.api,
                 .clock = options_.clock,
                 .identity = options_.identity,
                 .lease_duration = options_.lease_duration}),
      guards_(options_.clock),
      attempts_(options_.clock) {}

LeaseKeeper::~LeaseKeeper() {
  guards_.Stop();
  attempts_.Stop();
}

void LeaseKeeper::Start() {
  LogInfo("waiting for the Lease",
          {{"lease", options_.lease_name}, {"identity", options_.identity}});
  attempts_.ScheduleAfter(absl::ZeroDuration(), [this] { Attempt(); });
}

void LeaseKeeper::Attempt() {
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == State::kLost) return;
  }
  // The period counts from the start of a call, however long it takes.
  absl::Duration next = options_.clock->SinceBoot() + options_.retry_period;
  const absl::Status attempt = election_.Attempt();
  bool first = false;
  bool taken = false;
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == State::kLost) return;
    first = Note(attempt);
    taken = state_ == State::kHeld && absl::IsFailedPrecondition(attempt);
    if (state_ == State::kWaiting) {
      next -= options_.retry_period -
              Jittered(options_.retry_period, kJitter, options_.draw);
    }
  }
  if (taken) return Lose(std::string(attempt.message()));
  if (first) {
    LogInfo("holds the Lease", {{"lease", options_.lease_name}});
    options_.on_held();
  }
  attempts_.ScheduleAfter(
      std::max(absl::ZeroDuration(), next - options_.clock->SinceBoot()),
      [this] { Attempt(); });
}

bool LeaseKeeper::Note(const absl::Status& attempt) {
  if (attempt.ok()) {
    renewed_at_ = *election_.renewed_at();
    if (!problem_.empty()) LogInfo("the API server answers again");
    problem_.clear();
    // An answer that was too long under way is none.
    if (options_.clock->SinceBoot() >= Deadline()) return false;
    const bool first = state_ == State::kWaiting;
    state_ = State::kHeld;
    Guard();
    return first;
  }
  if (absl::IsFailedPrecondition(attempt)) {
    if (holder_ != election_.holder()) {
      LogInfo("another agent is the master", {{"holder", election_.holder()}});
    }
    holder_ = election_.holder();
    problem_.clear();
    return false;
  }
  // Two that wanted it at once are no problem.
  if (absl::IsAborted(attempt)) return false;
  if (problem_ != attempt.message()) {
    problem_ = std::string(attempt.message());
    LogWarning(state_ == State::kHeld
                   ? "the Lease could not be renewed; it is tried again"
                   : "the Lease cannot be asked for; it is tried again",
               {{"lease", options_.lease_name}, {"detail", problem_}});
  }
  return false;
}

void LeaseKeeper::Guard() {
  guards_.Cancel(deadline_);
  guards_.Cancel(expiry_);
  const absl::Duration now = options_.clock->SinceBoot();
  deadline_ = guards_.ScheduleAfter(Deadline() - now, [this] {
    if (Passed(&LeaseKeeper::Deadline)) Lose("it was not renewed in time");
  });
  expiry_ = guards_.ScheduleAfter(Expiry() - now, [this] {
    if (Passed(&LeaseKeeper::Expiry)) options_.on_expired();
  });
}

absl::Duration LeaseKeeper::Deadline() const {
  return renewed_at_ + options_.renew_deadline;
}

absl::Duration LeaseKeeper::Expiry() const {
  return Deadline() +
         (options_.lease_duration - options_.renew_deadline) * kEndShare;
}

bool LeaseKeeper::Passed(absl::Duration (LeaseKeeper::*time)() const) const {
  absl::MutexLock lock(&mutex_);
  return options_.clock->SinceBoot() >= (this->*time)();
}

void LeaseKeeper::Lose(const std::string& why) {
  {
    absl::MutexLock lock(&mutex_);
    if (state_ != State::kHeld) return;
    state_ = State::kLost;
  }
  LogError("the Lease is lost: this agent is no longer the master, and ends",
           {{"lease", options_.lease_name}, {"detail", why}});
  options_.on_lost();
}

std::string LeaseKeeper::WaitingFor() const {
  absl::MutexLock lock(&mutex_);
  if (state_ != State::kWaiting) return "";
  if (!problem_.empty()) {
    return absl::StrCat("the Lease ", options_.lease_name, ": ", problem_);
  }
  return absl::StrCat(
      "the Lease ", options_.lease_name,
      holder_.empty() ? ""
                      : absl::StrCat(", which the master ", holder_, " holds"));
}

absl::Status LeaseKeeper::Release() {
  attempts_.Stop();
  guards_.Stop();
  return election_.Release();
}

}  // namespace mc::agent

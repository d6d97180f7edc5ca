#include "cluster-agent/exchange/pacer.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

std::string_view WhatToDo(v1::ErrorReason reason) {
  switch (reason) {
    case v1::ERROR_REASON_LICENSE_KEY_MALFORMED:
    case v1::ERROR_REASON_LICENSE_KEY_UNKNOWN:
      return "the service does not know this license key; put the right one "
             "into license_key_file";
    case v1::ERROR_REASON_LICENSE_SUSPENDED:
      return "the license is suspended; ask your vendor to resume it";
    case v1::ERROR_REASON_LICENSE_EXPIRED:
      return "the license has expired; ask your vendor for a new one";
    case v1::ERROR_REASON_LICENSE_REVOKED:
      return "the license was revoked; ask your vendor for a new one";
    case v1::ERROR_REASON_LICENSE_NOT_STARTED:
      return "the license has not started yet; wait for its start date, or ask "
             "your vendor";
    case v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT:
      return "the license allows no further cluster; ask your vendor to raise "
             "its limit";
    case v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED:
      return "this cluster ID is registered with other keys; restore the state "
             "directory from its backup, or ask your vendor to re-open the "
             "cluster";
    case v1::ERROR_REASON_IDENTITY_REVOKED:
      return "this cluster's identity was revoked; ask your vendor";
    case v1::ERROR_REASON_MUST_REENROLL:
      return "another agent registered this cluster with keys of its own; if "
             "this one is to be the cluster, ask your vendor to re-open the "
             "registration, stop the agent, and run cluster-agent register";
    case v1::ERROR_REASON_CREDENTIALS_REFUSED:
      return "this cluster's certificate is good no more, and its password is "
             "not accepted; ask your vendor to re-open the registration, stop "
             "the agent, and run cluster-agent register";
    case v1::ERROR_REASON_MUST_RECOVER:
      return "the certificate is good no more; the agent asks for another one";
    case v1::ERROR_REASON_REGISTRATION_PENDING:
      return "an operator of your vendor has to approve this registration; the "
             "agent asks again by itself";
    case v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED:
      return "the license needs an enrollment token, and this one is missing, "
             "expired or used; ask your vendor for one, and put it into "
             "enrollment_token_file";
    case v1::ERROR_REASON_IDENTITY_UNKNOWN:
    case v1::ERROR_REASON_IDENTITY_MISSING:
    case v1::ERROR_REASON_IDENTITY_MISMATCH:
      return "the service does not know this cluster's identity; check that "
             "service.cluster names the vendor where it was registered; if it "
             "does, the vendor may have lost the registration: stop the agent, "
             "and run cluster-agent register";
    case v1::ERROR_REASON_SUPERSEDED:
      return "another agent with this cluster's identity has taken over its "
             "heartbeat; stop one of the two";
    case v1::ERROR_REASON_CLONE_SUSPECTED:
      return "another agent runs with this cluster's identity; stop one of the "
             "two";
    default:
      return "";
  }
}

}  // namespace

bool IsUnreachable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable: {
      const v1::ErrorReason reason = ReasonOf(status);
      return reason == v1::ERROR_REASON_UNSPECIFIED ||
             reason == v1::ERROR_REASON_OVERLOADED;
    }
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

bool IsRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kResourceExhausted:
      return false;
    case absl::StatusCode::kAborted:
      return ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED;
    default:
      return true;
  }
}

std::string Advice(const absl::Status& refusal) {
  const std::string_view what = WhatToDo(ReasonOf(refusal));
  if (what.empty()) return std::string(refusal.message());
  return absl::StrCat(absl::string_view(what.data(), what.size()), " (",
                      refusal.message(), ")");
}

absl::Duration BoundedInterval(absl::Duration configured,
                               const v1::Pacing& pacing) {
  if (!pacing.has_next_interval()) return configured;
  const absl::StatusOr<absl::Duration> wish = FromProto(pacing.next_interval());
  if (!wish.ok()) return configured;
  return std::clamp(*wish, configured / 10, configured * 10);
}

absl::Duration RetryAfter(const absl::Status& status,
                          const v1::Pacing& pacing) {
  absl::Duration wish = RetryDelayOf(status).value_or(absl::ZeroDuration());
  if (pacing.has_retry_after()) {
    const absl::StatusOr<absl::Duration> other =
        FromProto(pacing.retry_after());
    if (other.ok()) wish = std::max(wish, *other);
  }
  return std::clamp(wish, absl::ZeroDuration(), kMaxRetryAfter);
}

Pacer::Pacer(const Options& options, UniformDraw draw)
    : options_(options),
      draw_(draw),
      backoff_({.initial = options.backoff_initial, .max = options.backoff_max},
               draw) {}

absl::Duration Pacer::Interval(const v1::Pacing& pacing) {
  if (options_.interval == absl::InfiniteDuration()) return options_.interval;
  return Jittered(BoundedInterval(options_.interval, pacing), kJitter, draw_);
}

absl::Duration Pacer::After(const absl::Status& status,
                            const v1::Pacing& pacing) {
  // Many clusters may be told the same.
  const absl::Duration at_least =
      RetryAfter(status, pacing) * (1 + kJitter * draw_());
  if (status.ok()) {
    backoff_.Reset();
    return std::max(at_least, Interval(pacing));
  }
  if (IsRefusal(status)) {
    return std::max(at_least, Jittered(options_.backoff_max, kJitter, draw_));
  }
  return backoff_.Next(at_least);
}

}  // namespace mc::agent

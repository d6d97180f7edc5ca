#include "mc-service/edge/call_limit.h"

#include "common/status/status.h"
#include "mc-service/edge/policy.h"

namespace mc::service {
namespace {

constexpr double kBurstSeconds = 5;
// Refused calls that may come at once, in the same measure. An agent waits for
// the delay that it was told.
constexpr double kPatienceSeconds = 40;
// Calls that may begin at once, and how much faster than allowed they may go
// on: more than what ends in a refusal that is told in full.
constexpr double kFloodSeconds = 50;
constexpr double kFloodFactor = 2;

}  // namespace

CallLimit::CallLimit(const Options& options)
    : options_(options),
      calls_({.burst = kBurstSeconds * options.calls_per_second,
              .per_second = options.calls_per_second,
              .clock = options.clock}),
      refusals_({.burst = kPatienceSeconds * options.calls_per_second,
                 .per_second = options.calls_per_second,
                 .clock = options.clock}),
      begun_({.burst = kFloodSeconds * options.calls_per_second,
              .per_second = kFloodFactor * options.calls_per_second,
              .clock = options.clock}) {}

bool CallLimit::Begins(std::string_view cluster_id) {
  return begun_.Take(cluster_id) == absl::ZeroDuration();
}

absl::Status CallLimit::Take(std::string_view cluster_id, std::string_view peer,
                             std::string_view full_method) {
  const MethodPolicy* policy = FindPolicy(full_method);
  if (policy == nullptr || policy->cost == 0) return absl::OkStatus();
  const absl::Duration wait = calls_.Take(cluster_id, policy->cost);
  if (wait == absl::ZeroDuration()) return absl::OkStatus();
  if (options_.on_refused) options_.on_refused();
  if (options_.on_offender &&
      refusals_.Take(cluster_id) > absl::ZeroDuration()) {
    options_.on_offender(cluster_id, peer);
  }
  return WithRetryDelay(
      Error(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_RATE_LIMITED,
            "This cluster calls more often than it may; nothing was done; try "
            "again after the retry delay."),
      wait);
}

}  // namespace mc::service

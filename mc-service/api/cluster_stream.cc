#include "mc-service/api/cluster_stream.h"

namespace mc::service {

absl::Status IdentityMismatch() {
  return Error(absl::StatusCode::kPermissionDenied,
               missioncontrol::v1::ERROR_REASON_IDENTITY_MISMATCH,
               "the message is for another cluster than the certificate's");
}

absl::Status ReadsTooSlowly() {
  return Error(absl::StatusCode::kUnavailable,
               missioncontrol::v1::ERROR_REASON_OVERLOADED,
               "the answers of this stream are not read; reconnect and read");
}

absl::Status Busy(const StreamDeps& deps) {
  return WithRetryDelay(
      Error(absl::StatusCode::kUnavailable,
            missioncontrol::v1::ERROR_REASON_OVERLOADED,
            "the service has more calls than it can take; try again later"),
      deps.overload_slots == nullptr
          ? deps.overload_retry_delay
          : deps.overload_slots->Take(deps.clock->Now()));
}

}  // namespace mc::service

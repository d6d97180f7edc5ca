#include "mc-service/store/store.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "common/status/status.h"

namespace mc::service {

absl::Status Store::WriteAndWait(WriteWork work) {
  absl::Notification finished;
  absl::Status result;
  if (!Write(std::move(work), [&](absl::Status status) {
        result = std::move(status);
        finished.Notify();
      })) {
    return Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
                 "the store is busy or stopping; try again later");
  }
  finished.WaitForNotification();
  return result;
}

}  // namespace mc::service

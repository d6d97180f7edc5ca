// Errors with a reason that programs can branch on.
//
// Every error that leaves a program carries google.rpc.ErrorInfo: a reason of
// the contract's ErrorReason, the domain "missioncontrol", and metadata. It
// travels as a payload of absl::Status; `grpc_status.h` is the one bridge to
// the wire. All functions are thread-safe.
#ifndef COMMON_STATUS_STATUS_H_
#define COMMON_STATUS_STATUS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "missioncontrol/v1/errors.pb.h"

namespace mc {

// The message is for people: one short sentence that says what to do.
absl::Status Error(absl::StatusCode code,
                   missioncontrol::v1::ErrorReason reason,
                   std::string_view message,
                   std::map<std::string, std::string> metadata = {});

// INVALID_ARGUMENT with INVALID_FIELD; metadata "field" holds the path, for
// instance environments[3].environment_id.
absl::Status InvalidField(std::string_view field, std::string_view message);

// Absent where the status carries none.
std::optional<google::rpc::ErrorInfo> ErrorInfoOf(const absl::Status& status);

// ERROR_REASON_UNSPECIFIED where the status carries none.
missioncontrol::v1::ErrorReason ReasonOf(const absl::Status& status);

// The name without its prefix, for instance LICENSE_EXPIRED; UNSPECIFIED for a
// number that this contract does not have.
std::string ReasonName(missioncontrol::v1::ErrorReason reason);

// When the call may be tried again (google.rpc.RetryInfo).
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// For log lines and tables: OK, or the code and the reason, for instance
// FAILED_PRECONDITION/LICENSE_SUSPENDED.
std::string ResultName(const absl::Status& status);

// The exit code of a command line that ended with this status:
//   0 success
//   1 any other failure
//   2 wrong usage, input or configuration (INVALID_ARGUMENT, OUT_OF_RANGE)
//   3 what was named does not exist (NOT_FOUND)
//   4 not allowed (PERMISSION_DENIED, UNAUTHENTICATED)
//   5 the other side cannot be reached (UNAVAILABLE, DEADLINE_EXCEEDED)
//   6 the state does not allow it (FAILED_PRECONDITION, ALREADY_EXISTS,
//     ABORTED)
//   7 a limit was reached (RESOURCE_EXHAUSTED)
//   8 not built yet (UNIMPLEMENTED)
int ExitCodeOf(const absl::Status& status);

}  // namespace mc

#endif  // COMMON_STATUS_STATUS_H_

// Times and durations of the contract, and of people.
#ifndef COMMON_TIME_PROTO_TIME_H_
#define COMMON_TIME_PROTO_TIME_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace mc {

// To the nanosecond, rounded down. The time must be finite.
google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

// INVALID_ARGUMENT for what protobuf does not allow: nanos out of range, years
// before 1 or after 9999, seconds and nanos of different sign.
absl::StatusOr<absl::Time> FromProto(const google::protobuf::Timestamp& time);
absl::StatusOr<absl::Duration> FromProto(
    const google::protobuf::Duration& duration);

// RFC 3339 in UTC with milliseconds, for instance 2026-05-04T10:00:00.000Z.
std::string FormatUtc(absl::Time time);
// RFC 3339 with any offset; INVALID_ARGUMENT says what is expected.
absl::StatusOr<absl::Time> ParseRfc3339(std::string_view text);

}  // namespace mc

#endif  // COMMON_TIME_PROTO_TIME_H_

// The checks that every message passes before it means anything.
#ifndef COMMON_WIRE_CHECK_H_
#define COMMON_WIRE_CHECK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace mc {

// The largest quantity that a field may hold: sums of thousands of them stay
// below 2^63.
inline constexpr int64_t kMaxQuantity = 1'000'000'000'000'000;
// Entries of one repeated or map field.
inline constexpr int kMaxEntries = 10'000;

// Walks all fields that are set, in nested messages too:
// - text and bytes obey their (format); text without one has no NUL in it
// - int32, int64, float and double are finite and 0 to kMaxQuantity (sint32 and
//   sint64 are free in sign, unsigned ones and enums free altogether)
// - timestamps are of 2000-01-01 to 2200-01-01, durations 0 to 10 years of 365
//   days, with valid nanos
// - a TimeFrame has both ends and starts before it ends
// - a repeated field has at most kMaxEntries
//
// INVALID_ARGUMENT with INVALID_FIELD, whose path is like
// environments[3].hosts[0].host_id, or with TIME_FRAME_INVALID (metadata
// "field", too). The message repeats no value. Thread-safe; works on messages
// of generated types.
absl::Status CheckMessage(const google::protobuf::Message& message);

}  // namespace mc

#endif  // COMMON_WIRE_CHECK_H_

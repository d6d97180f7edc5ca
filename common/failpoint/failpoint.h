// Places at which a test can end, delay or fail a program.
//
// They exist only where the CMake option MC_FAILPOINTS is on, as it is for the
// tests; programs that are shipped are built without, and then a place costs
// nothing. Places are named by PROGRAM.STEP.before and PROGRAM.STEP.after.
//
// A test activates them by the environment:
//   MC_FAILPOINTS       places and what happens there, separated by commas:
//                       NAME=kill       ends the process by SIGKILL
//                       NAME=delay:MS   waits for MS milliseconds
//                       NAME=error      fails with UNAVAILABLE
//                       NAME=count      nothing but being counted
//                       followed by @N, at the Nth time alone, or by %P, each
//                       time with a probability of P percent; else every time
//   MC_FAILPOINTS_FILE  a line "NAME ACTION" is appended for each that
//   happened,
//                       before it does: a test that never came to its place can
//                       tell
// For instance MC_FAILPOINTS='service.commit.after=kill@3'. What cannot be read
// ends the process at once: a test must not pass for a typing error.
#ifndef COMMON_FAILPOINT_FAILPOINT_H_
#define COMMON_FAILPOINT_FAILPOINT_H_

#include <string_view>

#include "absl/status/status.h"

#ifdef MC_FAILPOINTS
// A statement; what `error` returns is dropped.
#define MC_FAILPOINT(name) ::mc::failpoint::Reach(name).IgnoreError()
// An absl::Status, OK unless `error` is asked for.
#define MC_FAILPOINT_STATUS(name) ::mc::failpoint::Reach(name)
#else
#define MC_FAILPOINT(name) static_cast<void>(0)
#define MC_FAILPOINT_STATUS(name) ::absl::OkStatus()
#endif

namespace mc::failpoint {

// Use the macros. Thread-safe; the name outlives the process's failpoints, as a
// literal does.
absl::Status Reach(std::string_view name);

// Reads the environment anew, for tests.
void Reset();

}  // namespace mc::failpoint

#endif  // COMMON_FAILPOINT_FAILPOINT_H_

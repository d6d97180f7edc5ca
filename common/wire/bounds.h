// Bounds of a report's quantities: the agent keeps to them, the service
// enforces them.
#ifndef COMMON_WIRE_BOUNDS_H_
#define COMMON_WIRE_BOUNDS_H_

#include <cstdint>

namespace mc {

// The most that one report may carry of one quantity (sessions, executions,
// one meter) over all its environments: nine million such reports can be
// summed before an int64 overflows.
inline constexpr int64_t kMaxQuantityPerReport = 1'000'000'000'000;
inline constexpr int64_t kMaxMemoryBytesPerHost = int64_t{1} << 50;

}  // namespace mc

#endif  // COMMON_WIRE_BOUNDS_H_

// When a consumption report is valid, beyond the formats of its fields.
#ifndef MC_SERVICE_DOMAIN_CONSUMPTION_RULES_H_
#define MC_SERVICE_DOMAIN_CONSUMPTION_RULES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// The most that one report may carry of one quantity (sessions, executions,
// one meter) over all its environments: nine million such reports can be
// summed before an int64 overflows.
inline constexpr int64_t kMaxQuantityPerReport = 1'000'000'000'000;
inline constexpr int64_t kMaxMemoryBytesPerHost = int64_t{1} << 50;

// The message has passed CheckMessage.
//
// INVALID_ARGUMENT (TIME_FRAME_INVALID): the time frame is empty, ends before
// it starts or crosses a UTC hour, or a monitored interval is not within it.
// INVALID_ARGUMENT (INVALID_FIELD): the same environment, host, monitor or
// meter twice; an ID missing; a host of no category; a quantity beyond the
// bounds above.
absl::Status CheckConsumption(const v1::Consumption& consumption);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_CONSUMPTION_RULES_H_

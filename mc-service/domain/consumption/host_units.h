// Host units: what a host weighs in a UTC hour.
//
// Weights are thousandths of a host unit.
#ifndef MC_SERVICE_DOMAIN_CONSUMPTION_HOST_UNITS_H_
#define MC_SERVICE_DOMAIN_CONSUMPTION_HOST_UNITS_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "mc-service/store/ledger_types.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// A host counts in an hour in which it was monitored for this long or longer.
inline constexpr absl::Duration kCountsFrom = absl::Minutes(5);

// Up to 1.6 GiB of memory 100, 4 GiB 250, 8 GiB 500, 16 GiB 1000, then 1000
// for each started 16 GiB; in infrastructure mode 0.3 of that, 1000 at most.
// `memory_bytes` is not negative.
int64_t HostUnitsMilli(int64_t memory_bytes, v1::HostCategory category);

// A time of a message that has passed its checks.
absl::Time TimeOf(const google::protobuf::Timestamp& time);

// The start of the UTC hour that `time` lies in.
absl::Time HourOf(absl::Time time);

// How much of [start, end) the intervals cover, overlaps counted once.
absl::Duration Covered(const std::vector<MonitoredInterval>& intervals,
                       absl::Time start, absl::Time end);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_CONSUMPTION_HOST_UNITS_H_

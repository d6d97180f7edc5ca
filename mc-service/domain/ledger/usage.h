// What a consumption report says was used, in the ledger's words.
#ifndef MC_SERVICE_DOMAIN_LEDGER_USAGE_H_
#define MC_SERVICE_DOMAIN_LEDGER_USAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "mc-service/store/ledger_types.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::service {

// Calls `enter` for each counter of the report that is not 0: sessions,
// problems, executions of each monitor, generic meters. Hosts are not counted:
// their intervals are united, see ledger.h. Ends with the first error.
absl::Status ForEachCounter(
    const v1::Consumption& consumption,
    absl::FunctionRef<absl::Status(const UsageIdentity&, int64_t)> enter);

// When the report says that the host was monitored.
std::vector<MonitoredInterval> IntervalsOf(const v1::HostConsumption& host,
                                           uint64_t epoch);

// The identity of a host's units.
UsageIdentity HostIdentity(const std::string& environment_id,
                           const std::string& host_id);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LEDGER_USAGE_H_

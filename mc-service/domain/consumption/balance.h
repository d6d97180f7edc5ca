// Where a license stands: its limits minus what the store has of its usage.
#ifndef MC_SERVICE_DOMAIN_CONSUMPTION_BALANCE_H_
#define MC_SERVICE_DOMAIN_CONSUMPTION_BALANCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/domain/license/license.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Inserts the report, brings the host hours that it touches up to date, and
// answers with the license's balance in the quota period of the report's time
// frame, this report included. The report has passed CheckConsumption. Usage
// is recorded whatever the state of the license.
//
// All of it belongs to the caller's transaction: after an error it must be
// undone. Errors are those of the store.
absl::StatusOr<v1::ConsumptionResult> RecordConsumption(
    Writer& writer, const License& license, const StoredConsumption& report);

// The balance of a license over all its clusters in `period`, and what each
// environment consumed in it, in the order given. Host units of an environment
// are those of `hour`; where that is absent, of its last hour in the period.
absl::StatusOr<v1::ConsumptionResult> Balance(
    Reader& reader, const License& license, const Period& period,
    const std::vector<std::string>& environments,
    std::optional<absl::Time> hour = std::nullopt);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_CONSUMPTION_BALANCE_H_

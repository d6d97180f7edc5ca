// Where a license stands: its limits minus what the ledger has of its usage.
#ifndef MC_SERVICE_DOMAIN_CONSUMPTION_BALANCE_H_
#define MC_SERVICE_DOMAIN_CONSUMPTION_BALANCE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/domain/ledger/ledger.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Inserts the report, enters it into the ledger, and answers with the license's
// balance in the quota period of the report's time frame, this report included.
// The report has passed CheckConsumption. Usage is recorded whatever the state
// of the license. The cost depends on the report, not on what was used before.
//
// All of it belongs to the caller's transaction: after an error it must be
// undone. Errors are those of the store and of `options`.
absl::StatusOr<v1::ConsumptionResult> RecordConsumption(
    Writer& writer, const License& license, const StoredConsumption& report,
    const LedgerOptions& options = {});

// The balance of a license over all its clusters in the quota period that `at`
// lies in, by the limits that hold now or, for a period that is over, held at
// its end; and what each environment of the cluster consumed in it, in the
// order given. Host units of an environment are those of `hour`; where that is
// absent, of its last hour in the period.
//
// Where overage is allowed, an entitlement with a number can limit it:
// "overage.rum_sessions", "overage.synthetic_executions",
// "overage.host_unit_hours_milli", "overage.meter.ID". From that much on the
// state is OVERAGE_QUOTA_REACHED; a subscription is never cut off.
absl::StatusOr<v1::ConsumptionResult> Balance(
    Reader& reader, const License& license, absl::Time at,
    std::string_view cluster_id, const std::vector<std::string>& environments,
    std::optional<absl::Time> hour = std::nullopt);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_CONSUMPTION_BALANCE_H_

// Computes the ledger anew from the accepted reports, and compares.
#ifndef MC_SERVICE_DOMAIN_LEDGER_VERIFY_H_
#define MC_SERVICE_DOMAIN_LEDGER_VERIFY_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_usage.pb.h"

namespace mc::service {

inline constexpr int kMaxDifferences = 1000;

// Reports against entries, hour by hour of each cluster; entries against
// totals, period by period; totals and hours of clusters against those of
// licenses, and the overage against hours and terms. Empty license: of all.
//
// It reads in chunks, each a snapshot of its own: reports may come meanwhile,
// and memory is bounded by one cluster's hour and one license's period. Hours
// whose reports are not kept any more are not compared with them. Differences
// beyond kMaxDifferences are left out. It blocks, for minutes where there is
// much. Errors are those of the store; NOT_FOUND for the license.
absl::StatusOr<v1::VerifyLedgerResponse> VerifyLedger(
    Store& store, std::string_view license_id);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LEDGER_VERIFY_H_

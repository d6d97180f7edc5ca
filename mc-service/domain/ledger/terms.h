// The terms of a license over time: which quota period, which limits.
//
// `terms` is never empty and in the order of time, as the store lists them; the
// first ones also hold for what was before them.
#ifndef MC_SERVICE_DOMAIN_LEDGER_TERMS_H_
#define MC_SERVICE_DOMAIN_LEDGER_TERMS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "mc-service/domain/license/license.h"
#include "mc-service/store/ledger_types.h"
#include "mc-service/store/types.h"

namespace mc::service {

const LicenseTerms& TermsAt(const std::vector<LicenseTerms>& terms,
                            absl::Time at);

// The quota period that `at` lies in, by the reset of that time. Where another
// reset begins to hold within a period, the period ends there and the next one
// begins.
Period QuotaPeriodAt(const License& license,
                     const std::vector<LicenseTerms>& terms, absl::Time at);

// The limit of host units of the UTC hour: the highest that held in it, so that
// a higher one helps at once and a lower one begins with the next hour. Absent:
// unlimited.
std::optional<int64_t> HostUnitLimit(const std::vector<LicenseTerms>& terms,
                                     absl::Time hour);

// Thousandths of a host-unit-hour beyond that limit.
int64_t HostUnitOverage(const std::vector<LicenseTerms>& terms,
                        const HostUnitHour& hour);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_LEDGER_TERMS_H_

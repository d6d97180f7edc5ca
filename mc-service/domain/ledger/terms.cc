#include "mc-service/domain/ledger/terms.h"

#include <algorithm>
#include <cstddef>

namespace mc::service {
namespace {

size_t IndexAt(const std::vector<LicenseTerms>& terms, absl::Time at) {
  size_t index = 0;
  while (index + 1 < terms.size() && terms[index + 1].from <= at) ++index;
  return index;
}

// A license that names no reset has the month's.
bool IsAnnual(const LicenseTerms& terms) {
  return terms.limits.reset() == v1::QUOTA_RESET_ANNUAL;
}

}  // namespace

const LicenseTerms& TermsAt(const std::vector<LicenseTerms>& terms,
                            absl::Time at) {
  return terms[IndexAt(terms, at)];
}

Period QuotaPeriodAt(const License& license,
                     const std::vector<LicenseTerms>& terms, absl::Time at) {
  const size_t index = IndexAt(terms, at);
  License held;
  held.created_at = license.created_at;
  held.limits.set_reset(terms[index].limits.reset());
  Period period = QuotaPeriod(held, at);
  const bool annual = IsAnnual(terms[index]);
  size_t first = index;
  while (first > 0 && IsAnnual(terms[first - 1]) == annual) --first;
  if (first > 0) period.start = std::max(period.start, terms[first].from);
  size_t next = index + 1;
  while (next < terms.size() && IsAnnual(terms[next]) == annual) ++next;
  if (next < terms.size()) {
    period.end = std::min(period.end, terms[next].from);
  }
  return period;
}

std::optional<int64_t> HostUnitLimit(const std::vector<LicenseTerms>& terms,
                                     absl::Time hour) {
  int64_t limit = 0;
  for (size_t i = IndexAt(terms, hour); i < terms.size(); ++i) {
    if (terms[i].from >= hour + absl::Hours(1) && i > 0) break;
    if (!terms[i].limits.has_host_units_milli()) return std::nullopt;
    limit = std::max(limit, terms[i].limits.host_units_milli());
  }
  return limit;
}

int64_t HostUnitOverage(const std::vector<LicenseTerms>& terms,
                        const HostUnitHour& hour) {
  const std::optional<int64_t> limit = HostUnitLimit(terms, hour.hour);
  if (!limit.has_value()) return 0;
  return std::max<int64_t>(0, hour.host_units_milli - *limit);
}

}  // namespace mc::service

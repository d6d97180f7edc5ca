// Which consumption reports are missing, kept as ranges.
#ifndef MC_SERVICE_DOMAIN_FINDINGS_GAPS_H_
#define MC_SERVICE_DOMAIN_FINDINGS_GAPS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Notes what a consumption report that is accepted now opens, shrinks or
// closes: sequences may come in any order, and are gapless in the end. A gap
// of an older epoch stays open. To be called within the transaction that
// accepts the report, before it is inserted; errors are those of the store.
absl::Status NoteArrival(Writer& writer, const ReportKey& key,
                         const v1::TimeFrame& time_frame, absl::Time now);

// Whether consumption reports of the cluster are missing whose usage may be in
// [from, to).
absl::StatusOr<bool> HasGap(Reader& reader, std::string_view cluster_id,
                            absl::Time from, absl::Time to);

// Raises a finding for each gap that has none and was opened before
// `opened_before`, for at most `limit` of them. Returns how many.
absl::StatusOr<int64_t> RaiseGaps(Writer& writer, absl::Time opened_before,
                                  absl::Time now, int limit);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_FINDINGS_GAPS_H_

// What is found about a cluster's reports, in words.
#ifndef MC_SERVICE_DOMAIN_FINDINGS_SIGHTINGS_H_
#define MC_SERVICE_DOMAIN_FINDINGS_SIGHTINGS_H_

#include <string>

#include "absl/time/time.h"
#include "mc-service/store/finding_types.h"
#include "mc-service/store/types.h"

namespace mc::service {

// A side that is absent, or no time, is infinite.
TimeSpan SpanOf(const v1::TimeFrame& frame);

// A report came again under its key with other content. `in_doubt` is the time
// frame of the one that was rejected; without sides where it has none.
Sighting ConflictOf(const ReportKey& key, const v1::TimeFrame& in_doubt,
                    absl::Time at);

// The agent had to drop reports of events.
Sighting DroppedEventsOf(const ReportKey& key, const v1::DroppedRange& range,
                         absl::Time at);

// Reports are missing. What remains of one gap has the key of the whole.
FindingKey KeyOf(const SequenceGap& gap);
Sighting GapOf(const SequenceGap& gap, absl::Time at);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_FINDINGS_SIGHTINGS_H_

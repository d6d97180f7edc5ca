// What clusters tell when it happens: what is accepted, and how it is kept.
#ifndef MC_SERVICE_DOMAIN_EVENTS_EVENTS_H_
#define MC_SERVICE_DOMAIN_EVENTS_EVENTS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::service {

// The most that one report may hold.
inline constexpr int kMaxEventsPerReport = 1000;

// The rules of a report of the lane EVENTS beyond its formats. INVALID_ARGUMENT
// (INVALID_FIELD): no event or too many, one without ID, type, severity or
// time, an ID twice, or a dropped range that is none before this report. Types
// and severities that this version does not know are accepted: the cluster may
// be newer.
absl::Status CheckEvents(const v1::ReportEnvelope& report);

// The dropped ranges of any lane: only EVENTS may have some.
absl::Status CheckDroppedRanges(const v1::ReportEnvelope& report);

// Stores what the cluster has not told before: the same event may come in two
// reports, where the cluster had to number it anew.
absl::Status StoreEvents(Writer& writer, std::string_view cluster_id,
                         const v1::ReportEnvelope& report, absl::Time now);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_EVENTS_EVENTS_H_

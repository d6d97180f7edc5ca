#include "mc-service/domain/findings/sightings.h"

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"

namespace mc::service {

TimeSpan SpanOf(const v1::TimeFrame& frame) {
  TimeSpan span;
  if (frame.has_start()) {
    span.start = FromProto(frame.start()).value_or(span.start);
  }
  if (frame.has_end()) span.end = FromProto(frame.end()).value_or(span.end);
  return span;
}

Sighting ConflictOf(const ReportKey& key, const v1::TimeFrame& in_doubt,
                    absl::Time at) {
  Sighting sighting;
  sighting.key = {
      key.cluster_id, v1::FINDING_KIND_REPORT_CONFLICT,
      absl::StrCat(v1::Lane_Name(key.lane), "/", key.epoch, "/", key.sequence)};
  sighting.severity = v1::SEVERITY_SEVERE;
  sighting.message = absl::StrCat(
      "Report ", key.sequence, " of epoch ", key.epoch, " on ",
      v1::Lane_Name(key.lane),
      " came again with other content. The first one is kept; ask the customer "
      "whether the agent's state was copied or restored.");
  if (in_doubt.has_start() || in_doubt.has_end()) {
    sighting.time_frame = SpanOf(in_doubt);
  }
  sighting.at = at;
  return sighting;
}

Sighting DroppedEventsOf(const ReportKey& key, const v1::DroppedRange& range,
                         absl::Time at) {
  Sighting sighting;
  sighting.key = {key.cluster_id, v1::FINDING_KIND_EVENTS_DROPPED,
                  absl::StrCat(v1::Lane_Name(key.lane), "/", key.epoch)};
  sighting.message =
      absl::StrCat("The agent had no room for all events, and dropped reports ",
                   range.first_sequence(), " to ", range.last_sequence(),
                   " of epoch ", key.epoch, ". What they told is lost.");
  sighting.at = at;
  return sighting;
}

FindingKey KeyOf(const SequenceGap& gap) {
  return {gap.cluster_id, v1::FINDING_KIND_SEQUENCE_GAP,
          absl::StrCat(v1::Lane_Name(v1::LANE_BILLING), "/", gap.epoch, "/",
                       gap.origin)};
}

Sighting GapOf(const SequenceGap& gap, absl::Time at) {
  Sighting sighting;
  sighting.key = KeyOf(gap);
  sighting.severity = v1::SEVERITY_WARNING;
  sighting.message =
      gap.first == gap.last
          ? absl::StrCat("Consumption report ", gap.first, " of epoch ",
                         gap.epoch, " has not come")
          : absl::StrCat("Consumption reports ", gap.first, " to ", gap.last,
                         " of epoch ", gap.epoch, " have not come");
  absl::StrAppend(&sighting.message,
                  ", though later ones have. The usage of this time is not "
                  "complete; see `cluster-agent outbox list` at the site.");
  sighting.time_frame = gap.time_frame;
  sighting.at = at;
  return sighting;
}

}  // namespace mc::service

#include "mc-service/domain/events/events.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

absl::Status BadEvent(int index, std::string_view field,
                      std::string_view message) {
  return InvalidField(
      absl::StrCat("cluster_events.events[", index, "].",
                   absl::string_view(field.data(), field.size())),
      message);
}

}  // namespace

absl::Status CheckEvents(const v1::ReportEnvelope& report) {
  const v1::ClusterEvents& events = report.cluster_events();
  if (events.events().empty()) {
    return InvalidField("cluster_events.events", "the report has no event");
  }
  if (events.events_size() > kMaxEventsPerReport) {
    return InvalidField("cluster_events.events",
                        "a report holds at most 1000 events");
  }
  std::set<std::string_view> ids;
  for (int i = 0; i < events.events_size(); ++i) {
    const v1::ClusterEvent& event = events.events(i);
    if (event.event_id().empty()) {
      return BadEvent(i, "event_id", "an event needs an ID");
    }
    if (!ids.insert(event.event_id()).second) {
      return BadEvent(i, "event_id", "this ID is in the report already");
    }
    if (event.type() == v1::CLUSTER_EVENT_TYPE_UNSPECIFIED) {
      return BadEvent(i, "type", "an event needs a type");
    }
    if (event.severity() == v1::SEVERITY_UNSPECIFIED) {
      return BadEvent(i, "severity", "an event needs a severity");
    }
    if (!event.has_occurred_at()) {
      return BadEvent(i, "occurred_at", "an event needs its time");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDroppedRanges(const v1::ReportEnvelope& report) {
  if (report.dropped().empty()) return absl::OkStatus();
  if (report.lane() != v1::LANE_EVENTS) {
    return InvalidField("dropped",
                        "only reports of the lane EVENTS may be "
                        "dropped");
  }
  for (int i = 0; i < report.dropped_size(); ++i) {
    const v1::DroppedRange& range = report.dropped(i);
    if (range.first_sequence() < 1 ||
        range.first_sequence() > range.last_sequence() ||
        range.last_sequence() >= report.sequence()) {
      return InvalidField(absl::StrCat("dropped[", i, "]"),
                          "is no range of sequences before this report's");
    }
  }
  return absl::OkStatus();
}

absl::Status StoreEvents(Writer& writer, std::string_view cluster_id,
                         const v1::ReportEnvelope& report, absl::Time now) {
  StoredEvent stored;
  stored.cluster_id = std::string(cluster_id);
  stored.received_at = now;
  for (const v1::ClusterEvent& event : report.cluster_events().events()) {
    stored.event = event;
    absl::Status inserted = writer.InsertEvent(stored);
    if (!inserted.ok() && !absl::IsAlreadyExists(inserted)) return inserted;
  }
  for (const v1::DroppedRange& range : report.dropped()) {
    absl::Status put =
        writer.PutDroppedEvents({.cluster_id = stored.cluster_id,
                                 .epoch = report.epoch(),
                                 .first_sequence = range.first_sequence(),
                                 .last_sequence = range.last_sequence(),
                                 .declared_at = now});
    if (!put.ok()) return put;
  }
  return absl::OkStatus();
}

}  // namespace mc::service

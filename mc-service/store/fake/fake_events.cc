#include "mc-service/store/checks.h"
#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {

absl::StatusOr<Paged<StoredEvent>> FakeSession::ListEvents(
    const EventFilter& filter, const Page& page) {
  return ListRows(state_.events, page, true, [&](const StoredEvent& row) {
    return (filter.cluster_id.empty() || row.cluster_id == filter.cluster_id) &&
           (filter.type == v1::CLUSTER_EVENT_TYPE_UNSPECIFIED ||
            row.event.type() == filter.type) &&
           row.event.severity() >= filter.severity;
  });
}

absl::StatusOr<Paged<DroppedEvents>> FakeSession::ListDroppedEvents(
    std::string_view cluster_id, const Page& page) {
  return ListRows(state_.dropped_events, page, false,
                  [&](const DroppedEvents& row) {
                    return cluster_id.empty() || row.cluster_id == cluster_id;
                  });
}

absl::Status FakeSession::InsertEvent(const StoredEvent& stored) {
  if (FindCluster(stored.cluster_id) == nullptr) {
    return absl::NotFoundError("it is not in the store");
  }
  if (FindRow(state_.events, [&](const StoredEvent& row) {
        return row.cluster_id == stored.cluster_id &&
               row.event.event_id() == stored.event.event_id();
      }) != nullptr) {
    return absl::AlreadyExistsError("it is in the store already");
  }
  Append(writable_->events, stored);
  return absl::OkStatus();
}

absl::Status FakeSession::PutDroppedEvents(const DroppedEvents& dropped) {
  if (absl::Status valid = CheckDropped(dropped); !valid.ok()) return valid;
  if (FindCluster(dropped.cluster_id) == nullptr) {
    return absl::NotFoundError("it is not in the store");
  }
  DroppedEvents* row =
      FindRow(writable_->dropped_events, [&](const DroppedEvents& row) {
        return row.cluster_id == dropped.cluster_id &&
               row.epoch == dropped.epoch &&
               row.first_sequence == dropped.first_sequence;
      });
  if (row == nullptr) {
    Append(writable_->dropped_events, dropped);
  } else {
    *row = dropped;
  }
  return absl::OkStatus();
}

}  // namespace mc::service

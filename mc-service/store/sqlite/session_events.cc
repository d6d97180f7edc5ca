// The clusters' events, and the ranges that they had to drop.
#include "mc-service/store/checks.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Statement;

}  // namespace

absl::StatusOr<Paged<StoredEvent>> Session::ListEvents(
    const EventFilter& filter, const Page& page) {
  // Every value is bound whether its condition is there or not.
  std::string sql =
      "SELECT cluster_event.id, cluster.cluster_id, received_at_us "
      "FROM cluster_event JOIN cluster ON cluster.id = cluster_row "
      "WHERE cluster_event.id < ?1 ";
  if (!filter.cluster_id.empty()) {
    sql += "AND cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?2) ";
  }
  if (filter.type != v1::CLUSTER_EVENT_TYPE_UNSPECIFIED)
    sql += "AND type = ?3 ";
  if (filter.severity != v1::SEVERITY_UNSPECIFIED) sql += "AND severity >= ?4 ";
  sql += "ORDER BY cluster_event.id DESC LIMIT ?5";
  return List<StoredEvent>(
      page,
      [&](const Statement& row) -> absl::StatusOr<StoredEvent> {
        StoredEvent stored;
        stored.cluster_id = row.Text(1);
        stored.received_at = FromMicros(row.Int64(2));
        absl::Status loaded =
            tables_.event.Load(database_, row.Int64(0), stored.event);
        if (!loaded.ok()) return loaded;
        return stored;
      },
      sql, Before(page), filter.cluster_id, int{filter.type},
      int{filter.severity});
}

absl::StatusOr<Paged<DroppedEvents>> Session::ListDroppedEvents(
    std::string_view cluster_id, const Page& page) {
  std::string sql =
      "SELECT dropped_events.id, cluster.cluster_id, epoch, first_sequence, "
      "last_sequence, declared_at_us FROM dropped_events "
      "JOIN cluster ON cluster.id = cluster_row WHERE dropped_events.id > ?1 ";
  if (!cluster_id.empty()) sql += "AND cluster.cluster_id = ?2 ";
  sql += "ORDER BY dropped_events.id LIMIT ?3";
  return List<DroppedEvents>(
      page,
      [](const Statement& row) -> absl::StatusOr<DroppedEvents> {
        return DroppedEvents{row.Text(1), row.Uint64(2), row.Uint64(3),
                             row.Uint64(4), FromMicros(row.Int64(5))};
      },
      sql, page.after, cluster_id);
}

absl::Status Session::InsertEvent(const StoredEvent& stored) {
  absl::StatusOr<int64_t> cluster = ClusterRow(stored.cluster_id);
  if (!cluster.ok()) return cluster.status();
  const int64_t keys[] = {*cluster, Micros(stored.received_at)};
  return tables_.event.Insert(database_, keys, stored.event).status();
}

absl::Status Session::PutDroppedEvents(const DroppedEvents& dropped) {
  if (absl::Status valid = CheckDropped(dropped); !valid.ok()) return valid;
  absl::StatusOr<int64_t> cluster = ClusterRow(dropped.cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Run(
      "INSERT INTO dropped_events (cluster_row, epoch, first_sequence, "
      "last_sequence, declared_at_us) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (cluster_row, epoch, first_sequence) DO UPDATE SET "
      "last_sequence = excluded.last_sequence, "
      "declared_at_us = excluded.declared_at_us",
      *cluster, dropped.epoch, dropped.first_sequence, dropped.last_sequence,
      Micros(dropped.declared_at));
}

}  // namespace mc::service

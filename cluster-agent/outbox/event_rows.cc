#include "cluster-agent/outbox/event_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/outbox/report_rows.h"
#include "cluster-agent/outbox/rows.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::ClusterEvent;
using missioncontrol::v1::DroppedRange;
using missioncontrol::v1::LANE_EVENTS;
using missioncontrol::v1::ReportEnvelope;
using missioncontrol::v1::StreamReportsRequest;
using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;

// The further ones are declared by the reports after it.
constexpr int kMaxDeclaredRanges = 1000;

struct UnsentEvent {
  int64_t id = 0;
  EventState state = EventState::kWaiting;
  ReportKey key;
};

absl::Status NoteDropped(Database& database, uint64_t epoch, uint64_t first,
                         uint64_t last) {
  absl::Status status = Execute(database,
                                "UPDATE dropped_range SET last_sequence = ?1 "
                                "WHERE epoch = ?2 AND last_sequence = ?3",
                                last, epoch, first - 1);
  if (!status.ok() || database.changes() > 0) return status;
  return Execute(database,
                 "INSERT INTO dropped_range "
                 "(epoch, first_sequence, last_sequence) VALUES (?, ?, ?) "
                 "ON CONFLICT DO UPDATE SET "
                 "last_sequence = max(last_sequence, excluded.last_sequence)",
                 epoch, first, last);
}

// What the report has declared is undeclared again, for it never arrives.
absl::Status ReturnDeclared(Database& database, const ReportKey& key) {
  StreamReportsRequest request;
  const absl::StatusOr<bool> row = QueryOne(
      database,
      "SELECT request FROM report "
      "WHERE lane = ? AND epoch = ? AND sequence = ?",
      [&](Statement& r) {
        // Of a damaged one nothing is believed.
        if (!request.ParseFromString(r.BlobBytes(0))) request.Clear();
      },
      key.lane, key.epoch, key.sequence);
  if (!row.ok()) return row.status();
  absl::Status status;
  for (const DroppedRange& range : request.report().dropped()) {
    if (!status.ok()) break;
    status = NoteDropped(database, key.epoch, range.first_sequence(),
                         range.last_sequence());
  }
  return status;
}

absl::Status DropReport(Database& database, const ReportKey& key) {
  absl::Status status = ReturnDeclared(database, key);
  if (status.ok()) {
    status = NoteDropped(database, key.epoch, key.sequence, key.sequence);
  }
  if (status.ok()) {
    status = Execute(database,
                     "DELETE FROM report "
                     "WHERE lane = ? AND epoch = ? AND sequence = ?",
                     key.lane, key.epoch, key.sequence);
  }
  return status;
}

absl::StatusOr<int64_t> CountUnsent(Database& database) {
  int64_t count = 0;
  const absl::StatusOr<bool> row =
      QueryOne(database, "SELECT count(*) FROM event WHERE state <= 2",
               [&](Statement& r) { count = r.Int64(0); });
  if (!row.ok()) return row.status();
  return count;
}

// The oldest that is still to be sent, with all that are in its report.
absl::StatusOr<int64_t> DropOldest(Database& database) {
  UnsentEvent oldest;
  const absl::StatusOr<bool> row =
      QueryOne(database,
               "SELECT id, state, epoch, sequence FROM event WHERE state <= 2 "
               "ORDER BY id LIMIT 1",
               [&](Statement& r) {
                 oldest = {r.Int64(0),
                           static_cast<EventState>(r.Int64(1)),
                           {LANE_EVENTS, r.Uint64(2), r.Uint64(3)}};
               });
  if (!row.ok()) return row.status();
  if (!*row) return int64_t{0};
  absl::Status status;
  if (oldest.state == EventState::kReported) {
    status = DropReport(database, oldest.key);
    if (status.ok()) {
      status = Execute(database,
                       "DELETE FROM event WHERE epoch = ? AND sequence = ? "
                       "AND sequence > 0",
                       oldest.key.epoch, oldest.key.sequence);
    }
  } else {
    const absl::StatusOr<ReportKey> key = TakeNumber(database, LANE_EVENTS);
    if (!key.ok()) return key.status();
    status = NoteDropped(database, key->epoch, key->sequence, key->sequence);
    if (status.ok()) {
      status = Execute(database, "DELETE FROM event WHERE id = ?", oldest.id);
    }
  }
  if (!status.ok()) return status;
  return int64_t{database.changes()};
}

absl::StatusOr<bool> InsertEvent(Database& database, const ClusterEvent& event,
                                 EventState state) {
  const std::string bytes = event.SerializeAsString();
  const std::string sum = RowSum(bytes, {});
  absl::Status status =
      Execute(database,
              "INSERT INTO event (event_id, state, type, payload, sha256) "
              "VALUES (?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
              event.event_id(), state, event.type(), Blob{bytes}, Blob{sum});
  if (!status.ok()) return status;
  return database.changes() > 0;
}

// The next events that wait, up to a report's worth, and their row numbers.
struct Batch {
  std::vector<ClusterEvent> events;
  std::vector<int64_t> ids;
  std::vector<int64_t> damaged;
};

absl::StatusOr<Batch> NextBatch(Database& database, int size) {
  Batch batch;
  absl::Status status = QueryAll(
      database,
      "SELECT id, payload, sha256 FROM event "
      "WHERE state <= 2 AND state = ? ORDER BY id LIMIT ?",
      [&](Statement& row) {
        const std::string bytes = row.BlobBytes(1);
        ClusterEvent event;
        if (row.BlobBytes(2) != RowSum(bytes, {}) ||
            !event.ParseFromString(bytes)) {
          batch.damaged.push_back(row.Int64(0));
          return;
        }
        batch.events.push_back(std::move(event));
        batch.ids.push_back(row.Int64(0));
      },
      EventState::kWaiting, size);
  if (!status.ok()) return status;
  return batch;
}

absl::Status DeclareDropped(Database& database, const ReportKey& key,
                            ReportEnvelope& envelope) {
  absl::Status status = QueryAll(
      database,
      "SELECT first_sequence, last_sequence FROM dropped_range "
      "WHERE epoch = ? ORDER BY first_sequence LIMIT ?",
      [&](Statement& row) {
        DroppedRange& range = *envelope.add_dropped();
        range.set_first_sequence(row.Uint64(0));
        range.set_last_sequence(row.Uint64(1));
      },
      key.epoch, kMaxDeclaredRanges);
  if (!status.ok() || envelope.dropped().empty()) return status;
  return Execute(
      database,
      "DELETE FROM dropped_range WHERE epoch = ? AND first_sequence <= ?",
      key.epoch,
      envelope.dropped(envelope.dropped_size() - 1).first_sequence());
}

absl::StatusOr<int64_t> PackBatch(Database& database,
                                  const std::string& cluster_id, absl::Time now,
                                  Batch batch) {
  const absl::StatusOr<ReportKey> key = TakeNumber(database, LANE_EVENTS);
  if (!key.ok()) return key.status();
  ReportEnvelope envelope;
  *envelope.mutable_created_at() = mc::ToProto(now);
  absl::Status status = DeclareDropped(database, *key, envelope);
  if (!status.ok()) return status;
  int64_t declared = 0;
  for (const DroppedRange& range : envelope.dropped()) {
    declared +=
        static_cast<int64_t>(range.last_sequence() - range.first_sequence()) +
        1;
  }
  envelope.mutable_cluster_events()->set_cluster_id(cluster_id);
  for (ClusterEvent& event : batch.events) {
    *envelope.mutable_cluster_events()->add_events() = std::move(event);
  }
  status = StoreReport(database, *key, std::move(envelope), now);
  for (const int64_t id : batch.ids) {
    if (!status.ok()) break;
    status = Execute(database,
                     "UPDATE event SET state = ?, epoch = ?, sequence = ? "
                     "WHERE id = ?",
                     EventState::kReported, key->epoch, key->sequence, id);
  }
  if (!status.ok()) return status;
  return declared;
}

absl::Status SetState(Database& database, const ReportKey& key,
                      EventState state) {
  return Execute(database,
                 "UPDATE event SET state = ? WHERE epoch = ? AND sequence = ? "
                 "AND sequence > 0 AND state = ?",
                 state, key.epoch, key.sequence, EventState::kReported);
}

}  // namespace

absl::StatusOr<RecordEventsResult> InsertEvents(
    Database& database, const std::vector<ClusterEvent>& events, bool send,
    int64_t max_unsent) {
  RecordEventsResult result;
  for (const ClusterEvent& event : events) {
    const absl::StatusOr<bool> inserted = InsertEvent(
        database, event, send ? EventState::kWaiting : EventState::kInSite);
    if (!inserted.ok()) return inserted.status();
    ++(*inserted ? result.recorded : result.repeated);
  }
  if (result.recorded == 0) return result;
  absl::StatusOr<int64_t> unsent = CountUnsent(database);
  while (unsent.ok() && *unsent > max_unsent) {
    const absl::StatusOr<int64_t> dropped = DropOldest(database);
    if (!dropped.ok()) return dropped.status();
    if (*dropped == 0) break;
    result.dropped += *dropped;
    *unsent -= *dropped;
  }
  if (!unsent.ok()) return unsent.status();
  absl::Status pruned = Execute(database,
                                "DELETE FROM event WHERE state > 2 "
                                "AND id <= (SELECT max(id) FROM event) - ?",
                                kKeptEvents);
  if (!pruned.ok()) return pruned;
  return result;
}

int MaxEventsPerReport(int64_t max_unsent) {
  return static_cast<int>(std::clamp<int64_t>(max_unsent / 10, 1, 100));
}

absl::StatusOr<int64_t> PackEvents(
    Database& database, const std::string& cluster_id, absl::Time now,
    int max_per_report,
    const std::function<void(const std::string&)>& on_damage) {
  int64_t declared = 0;
  for (;;) {
    absl::StatusOr<Batch> batch = NextBatch(database, max_per_report);
    if (!batch.ok()) return batch.status();
    if (batch->ids.empty() && batch->damaged.empty()) return declared;
    for (const int64_t id : batch->damaged) {
      absl::Status status =
          Execute(database, "UPDATE event SET state = ? WHERE id = ?",
                  EventState::kDamaged, id);
      if (!status.ok()) return status;
      if (on_damage) {
        on_damage(absl::StrCat(
            database.path(), ": event ", id,
            " is damaged; it was set aside and is not sent. Check the disk"));
      }
    }
    if (batch->ids.empty()) continue;
    const absl::StatusOr<int64_t> packed =
        PackBatch(database, cluster_id, now, *std::move(batch));
    if (!packed.ok()) return packed;
    declared += *packed;
  }
}

absl::StatusOr<bool> EventsWait(Database& database) {
  return QueryOne(
      database, "SELECT 1 FROM event WHERE state <= 2 AND state = ? LIMIT 1",
      [](Statement&) {}, EventState::kWaiting);
}

absl::Status AcknowledgeEvents(Database& database, const ReportKey& key) {
  return SetState(database, key, EventState::kAcknowledged);
}

absl::Status RefuseEvents(Database& database, const ReportKey& key) {
  const absl::StatusOr<bool> waits = QueryOne(
      database,
      "SELECT 1 FROM report WHERE lane = ? AND epoch = ? "
      "AND sequence = ? AND state = ?",
      [](Statement&) {}, key.lane, key.epoch, key.sequence,
      ReportState::kWaiting);
  if (!waits.ok() || !*waits) return waits.status();
  // The service has nothing under this number, and will not.
  absl::Status status = ReturnDeclared(database, key);
  if (status.ok()) {
    status = NoteDropped(database, key.epoch, key.sequence, key.sequence);
  }
  if (!status.ok()) return status;
  return SetState(database, key, EventState::kRefused);
}

absl::Status ReturnEvents(Database& database, const ReportKey& key) {
  absl::Status status =
      NoteDropped(database, key.epoch, key.sequence, key.sequence);
  if (!status.ok()) return status;
  return Execute(database,
                 "UPDATE event SET state = ?, epoch = 0, sequence = 0 "
                 "WHERE epoch = ? AND sequence = ? AND sequence > 0 "
                 "AND state = ?",
                 EventState::kWaiting, key.epoch, key.sequence,
                 EventState::kReported);
}

absl::Status RestartEvents(Database& database, absl::Time now) {
  // What was dropped before uses up numbers of the new epoch instead.
  std::vector<ReportKey> reports;
  absl::Status status = QueryAll(
      database,
      "SELECT epoch, sequence FROM report WHERE lane = ? AND state = ?",
      [&](Statement& row) {
        reports.push_back({LANE_EVENTS, row.Uint64(0), row.Uint64(1)});
      },
      LANE_EVENTS, ReportState::kWaiting);
  for (const ReportKey& key : reports) {
    if (!status.ok()) break;
    status = ReturnDeclared(database, key);
  }
  uint64_t dropped = 0;
  if (status.ok()) {
    status =
        QueryOne(database,
                 "SELECT ifnull(sum(last_sequence - first_sequence + 1), 0) "
                 "FROM dropped_range",
                 [&](Statement& row) { dropped = row.Uint64(0); })
            .status();
  }
  if (status.ok()) {
    status =
        Execute(database, "DELETE FROM report WHERE lane = ? AND state = ?",
                LANE_EVENTS, ReportState::kWaiting);
  }
  if (status.ok()) {
    status = Execute(
        database,
        "UPDATE event SET state = ?, epoch = 0, sequence = 0 WHERE state = ?",
        EventState::kWaiting, EventState::kReported);
  }
  if (status.ok()) status = Execute(database, "DELETE FROM dropped_range");
  if (status.ok()) status = StartEpoch(database, LANE_EVENTS, now);
  if (!status.ok() || dropped == 0) return status;
  const absl::StatusOr<LaneState> lane = ReadLane(database, LANE_EVENTS);
  if (!lane.ok()) return lane.status();
  status = Execute(database,
                   "UPDATE lane SET next_sequence = next_sequence + ? "
                   "WHERE lane = ?",
                   dropped, LANE_EVENTS);
  if (!status.ok()) return status;
  return NoteDropped(database, lane->epoch, lane->next_sequence,
                     lane->next_sequence + dropped - 1);
}

absl::Status WithdrawEvents(Database& database) {
  std::vector<ReportKey> reports;
  absl::Status status = QueryAll(
      database,
      "SELECT epoch, sequence FROM report WHERE lane = ? AND state = ?",
      [&](Statement& row) {
        reports.push_back({LANE_EVENTS, row.Uint64(0), row.Uint64(1)});
      },
      LANE_EVENTS, ReportState::kWaiting);
  for (const ReportKey& key : reports) {
    if (!status.ok()) break;
    status = DropReport(database, key);
  }
  if (!status.ok()) return status;
  return Execute(database, "UPDATE event SET state = ? WHERE state <= 2",
                 EventState::kInSite);
}

}  // namespace mc::agent

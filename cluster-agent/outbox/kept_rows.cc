#include "cluster-agent/outbox/kept_rows.h"

#include <optional>
#include <string_view>

#include "cluster-agent/outbox/rows.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::LANE_BILLING;
using missioncontrol::v1::LaneMark;
using sqlite::Database;
using sqlite::Statement;

// Two receipts that came within this time may have been given in the other
// order.
constexpr absl::Duration kReceiptSlack = absl::Minutes(10);
constexpr int kMaxPruned = 5000;

// When the marked report was acknowledged; absent where that is not known.
absl::StatusOr<std::optional<int64_t>> AcknowledgedAge(Database& database,
                                                       const LaneMark& mark) {
  std::optional<int64_t> age;
  const absl::StatusOr<bool> row = QueryOne(
      database,
      "SELECT acknowledged_age_us FROM report "
      "WHERE lane = ? AND epoch = ? AND sequence = ? AND state = ?",
      [&](Statement& r) { age = r.Int64(0); }, mark.lane(), mark.epoch(),
      mark.highest_accepted_sequence(), ReportState::kAcknowledged);
  if (!row.ok()) return row.status();
  return age;
}

absl::StatusOr<int64_t> SendAgainAfter(Database& database,
                                       const LaneMark& mark) {
  const absl::StatusOr<std::optional<int64_t>> marked =
      AcknowledgedAge(database, mark);
  if (!marked.ok()) return marked.status();
  const int64_t from_age =
      marked->has_value() ? **marked - absl::ToInt64Microseconds(kReceiptSlack)
                          : 0;
  absl::Status status = Execute(
      database,
      "UPDATE report SET state = ?1, not_before_us = 0, not_before_age_us = 0, "
      "rejection = '' WHERE state = ?2 AND lane = ?3 AND epoch = ?4 "
      "AND (sequence > ?5 OR (acknowledged_age_us >= ?6 AND sequence <> ?5))",
      ReportState::kWaiting, ReportState::kAcknowledged, mark.lane(),
      mark.epoch(), mark.highest_accepted_sequence(), from_age);
  if (!status.ok()) return status;
  return database.changes();
}

// All kept reports of the epochs that no mark names.
absl::StatusOr<int64_t> SendAgainUnmarked(Database& database,
                                          std::span<const LaneMark> marks) {
  std::optional<uint64_t> marked;
  for (const LaneMark& mark : marks) {
    if (mark.lane() == LANE_BILLING) marked = mark.epoch();
  }
  absl::Status status = Execute(
      database,
      "UPDATE report SET state = ?1, not_before_us = 0, not_before_age_us = 0, "
      "rejection = '' WHERE state = ?2 AND lane = ?3 AND epoch IS NOT ?4",
      ReportState::kWaiting, ReportState::kAcknowledged, LANE_BILLING, marked);
  if (!status.ok()) return status;
  return database.changes();
}

absl::StatusOr<int64_t> SendAgain(Database& database,
                                  std::span<const LaneMark> marks) {
  absl::StatusOr<int64_t> count = SendAgainUnmarked(database, marks);
  for (const LaneMark& mark : marks) {
    if (!count.ok()) return count;
    if (mark.lane() != LANE_BILLING) continue;
    const absl::StatusOr<int64_t> more = SendAgainAfter(database, mark);
    if (!more.ok()) return more;
    *count += *more;
  }
  return count;
}

}  // namespace

absl::StatusOr<absl::Duration> ReadAge(Database& database) {
  int64_t age_us = 0;
  const absl::StatusOr<bool> row =
      QueryOne(database, "SELECT age_us FROM outbox_info",
               [&](Statement& r) { age_us = r.Int64(0); });
  if (!row.ok()) return row.status();
  return absl::Microseconds(age_us);
}

absl::Status SaveAge(Database& database, absl::Duration age) {
  return Execute(database, "UPDATE outbox_info SET age_us = ?",
                 absl::ToInt64Microseconds(age));
}

absl::StatusOr<bool> KeepAcknowledged(Database& database, const ReportKey& key,
                                      absl::Duration age) {
  absl::Status status =
      Execute(database,
              "UPDATE report SET state = ?1, acknowledged_age_us = ?2, "
              "rejection = '' WHERE lane = ?3 AND epoch = ?4 "
              "AND sequence = ?5 AND state <> ?1",
              ReportState::kAcknowledged, absl::ToInt64Microseconds(age),
              key.lane, key.epoch, key.sequence);
  if (!status.ok()) return status;
  const bool changed = database.changes() > 0;
  if (changed) status = SaveAge(database, age);
  if (!status.ok()) return status;
  return changed;
}

absl::StatusOr<int64_t> ApplyServiceEpoch(Database& database,
                                          uint64_t service_epoch,
                                          std::span<const LaneMark> marks) {
  // A service that does not tell its epoch is taken for the one of before.
  if (service_epoch == 0) return 0;
  std::optional<uint64_t> known;
  const absl::StatusOr<bool> row =
      QueryOne(database, "SELECT service_epoch FROM outbox_info",
               [&](Statement& r) { known = r.OptionalUint64(0); });
  if (!row.ok()) return row.status();
  if (known == service_epoch) return 0;
  absl::StatusOr<int64_t> count = 0;
  if (known.has_value()) count = SendAgain(database, marks);
  if (!count.ok()) return count;
  absl::Status status = Execute(
      database, "UPDATE outbox_info SET service_epoch = ?", service_epoch);
  if (!status.ok()) return status;
  return count;
}

absl::StatusOr<bool> PruneKept(Database& database, const Retention& retention,
                               absl::Duration age) {
  const auto older_than = [age](absl::Duration kept) {
    return absl::ToInt64Microseconds(age - kept);
  };
  bool more = false;
  absl::Status status;
  const auto prune = [&](std::string_view sql, absl::Duration kept) {
    if (status.ok())
      status = Execute(database, sql, older_than(kept), kMaxPruned);
    more = more || (status.ok() && database.changes() == kMaxPruned);
  };
  prune(
      "DELETE FROM report WHERE rowid IN (SELECT rowid FROM report "
      "WHERE state = 4 AND acknowledged_age_us < ? LIMIT ?)",
      retention.acknowledged);
  prune(
      "DELETE FROM usage_key WHERE idempotency_key IN (SELECT "
      "idempotency_key FROM usage_key WHERE recorded_age_us < ? LIMIT ?)",
      retention.keys);
  prune(
      "DELETE FROM receipt WHERE rowid IN (SELECT rowid FROM receipt "
      "WHERE kept_age_us < ? LIMIT ?)",
      retention.receipts);
  prune(
      "DELETE FROM frame WHERE (start_us, end_us) IN (SELECT start_us, end_us "
      "FROM frame WHERE closed = 1 AND closed_age_us < ? LIMIT ?)",
      retention.keys);
  if (status.ok()) status = SaveAge(database, age);
  if (!status.ok()) return status;
  return more;
}

}  // namespace mc::agent

// Findings, and the gaps that some of them are about.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "mc-service/store/checks.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Statement;

std::optional<int64_t> StartMicros(absl::Time start) {
  if (start == absl::InfinitePast()) return std::nullopt;
  return Micros(start);
}

std::optional<int64_t> EndMicros(absl::Time end) {
  if (end == absl::InfiniteFuture()) return std::nullopt;
  return Micros(end);
}

// Of two columns.
TimeSpan ReadSpan(const Statement& row, int column) {
  TimeSpan span;
  if (!row.IsNull(column)) span.start = FromMicros(row.Int64(column));
  if (!row.IsNull(column + 1)) span.end = FromMicros(row.Int64(column + 1));
  return span;
}

absl::StatusOr<StoredFinding> ReadFinding(const Statement& row) {
  StoredFinding finding;
  finding.id = absl::StrCat(row.Int64(0));
  finding.last.key = {row.Text(1), static_cast<v1::FindingKind>(row.Int64(2)),
                      row.Text(3)};
  finding.last.severity = static_cast<v1::Severity>(row.Int64(4));
  finding.last.message = row.Text(5);
  finding.first_at = FromMicros(row.Int64(6));
  finding.last.at = FromMicros(row.Int64(7));
  finding.count = row.Int64(8);
  if (!row.IsNull(9)) finding.closed_at = FromMicros(row.Int64(9));
  if (row.Bool(10)) finding.last.time_frame = ReadSpan(row, 11);
  return finding;
}

constexpr std::string_view kGap =
    "SELECT sequence_gap.id, cluster.cluster_id, epoch, first_sequence, "
    "last_sequence, origin_sequence, opened_at_us, time_frame_start_us, "
    "time_frame_end_us, raised FROM cluster JOIN sequence_gap "
    "ON cluster_row = cluster.id ";

absl::StatusOr<SequenceGap> ReadGap(const Statement& row) {
  SequenceGap gap;
  gap.cluster_id = row.Text(1);
  gap.epoch = row.Uint64(2);
  gap.first = row.Uint64(3);
  gap.last = row.Uint64(4);
  gap.origin = row.Uint64(5);
  gap.opened_at = FromMicros(row.Int64(6));
  gap.time_frame = ReadSpan(row, 7);
  gap.raised = row.Bool(9);
  return gap;
}

}  // namespace

absl::StatusOr<Paged<StoredFinding>> Session::ListFindings(
    const FindingFilter& filter, const Page& page) {
  std::string sql =
      "SELECT finding.id, cluster.cluster_id, kind, subject, severity, "
      "message, first_at_us, last_at_us, count, closed_at_us, "
      "has_time_frame, time_frame_start_us, time_frame_end_us "
      "FROM finding JOIN cluster ON cluster.id = cluster_row "
      "WHERE finding.id < ?1 ";
  if (!filter.cluster_id.empty()) {
    sql += "AND cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?2) ";
  }
  if (filter.kind != v1::FINDING_KIND_UNSPECIFIED) sql += "AND kind = ?3 ";
  if (!filter.include_closed) sql += "AND closed_at_us IS NULL ";
  sql += "ORDER BY finding.id DESC LIMIT ?4";
  return List<StoredFinding>(page, ReadFinding, sql, Before(page),
                             filter.cluster_id, int{filter.kind});
}

absl::Status Session::RaiseFinding(const Sighting& sighting) {
  absl::StatusOr<int64_t> cluster = ClusterRow(sighting.key.cluster_id);
  if (!cluster.ok()) return cluster.status();
  const TimeSpan frame = sighting.time_frame.value_or(TimeSpan());
  return Run(
      "INSERT INTO finding (cluster_row, kind, subject, severity, message, "
      "first_at_us, last_at_us, count, has_time_frame, time_frame_start_us, "
      "time_frame_end_us) VALUES (?, ?, ?, ?, ?, ?6, ?6, 1, ?7, ?8, ?9) "
      "ON CONFLICT (cluster_row, kind, subject) WHERE closed_at_us IS NULL "
      "DO UPDATE SET severity = excluded.severity, "
      "message = excluded.message, last_at_us = excluded.last_at_us, "
      "count = count + 1, has_time_frame = excluded.has_time_frame, "
      "time_frame_start_us = excluded.time_frame_start_us, "
      "time_frame_end_us = excluded.time_frame_end_us",
      *cluster, int{sighting.key.kind}, sighting.key.subject,
      int{sighting.severity}, sighting.message, Micros(sighting.at),
      sighting.time_frame.has_value(), StartMicros(frame.start),
      EndMicros(frame.end));
}

absl::Status Session::CloseFinding(const FindingKey& key, absl::Time at) {
  return Run(
      "UPDATE finding SET closed_at_us = ? WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND kind = ? AND "
      "subject = ? AND closed_at_us IS NULL",
      Micros(at), key.cluster_id, int{key.kind}, key.subject);
}

absl::StatusOr<Paged<SequenceGap>> Session::OpenGaps(const GapFilter& filter,
                                                     const Page& page) {
  std::string sql = std::string(kGap).append("WHERE sequence_gap.id > ?1 ");
  if (!filter.cluster_id.empty()) sql += "AND cluster.cluster_id = ?2 ";
  if (!filter.license_id.empty()) {
    sql +=
        "AND cluster.license_row = "
        "(SELECT id FROM license WHERE license_id = ?3) ";
  }
  if (filter.from != absl::InfinitePast()) {
    sql += "AND (time_frame_end_us IS NULL OR time_frame_end_us > ?4) ";
  }
  if (filter.to != absl::InfiniteFuture()) {
    sql += "AND (time_frame_start_us IS NULL OR time_frame_start_us < ?5) ";
  }
  if (filter.unraised_before.has_value()) {
    sql += "AND raised = 0 AND opened_at_us < ?6 ";
  }
  sql += "ORDER BY sequence_gap.id LIMIT ?7";
  return List<SequenceGap>(
      page, ReadGap, sql, page.after, filter.cluster_id, filter.license_id,
      StartMicros(filter.from), EndMicros(filter.to),
      Micros(filter.unraised_before.value_or(absl::UnixEpoch())));
}

absl::StatusOr<SequenceGap> Session::FindGap(std::string_view cluster_id,
                                             uint64_t epoch,
                                             uint64_t sequence) {
  // Gaps do not overlap: it is the last one that begins at or below it.
  absl::StatusOr<SequenceGap> gap = One<SequenceGap>(
      ReadGap,
      std::string(kGap).append("WHERE cluster.cluster_id = ? AND epoch = ? "
                               "AND first_sequence <= ? "
                               "ORDER BY first_sequence DESC LIMIT 1"),
      cluster_id, epoch, sequence);
  if (gap.ok() && gap->last < sequence) {
    return absl::NotFoundError("the sequence is in no gap");
  }
  return gap;
}

absl::StatusOr<TimeSpan> Session::ConsumptionTimeFrame(
    std::string_view cluster_id, uint64_t epoch, uint64_t sequence) {
  return One<TimeSpan>(
      [](const Statement& row) {
        TimeSpan span;
        if (!row.IsNull(0)) span.start = absl::FromUnixNanos(row.Int64(0));
        if (!row.IsNull(1)) span.end = absl::FromUnixNanos(row.Int64(1));
        return span;
      },
      "SELECT time_frame_start_ns, time_frame_end_ns FROM consumption_report "
      "WHERE cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?) AND "
      "epoch = ? AND sequence = ?",
      cluster_id, epoch, sequence);
}

absl::StatusOr<int64_t> Session::CountGaps(std::string_view cluster_id,
                                           uint64_t epoch, uint64_t origin) {
  return Number(
      "SELECT count(*) FROM sequence_gap WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND epoch = ? "
      "AND origin_sequence = ?",
      cluster_id, epoch, origin);
}

absl::Status Session::PutGap(const SequenceGap& gap) {
  if (absl::Status valid = CheckGap(gap); !valid.ok()) return valid;
  absl::StatusOr<int64_t> cluster = ClusterRow(gap.cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Run(
      "INSERT INTO sequence_gap (cluster_row, epoch, first_sequence, "
      "last_sequence, origin_sequence, opened_at_us, time_frame_start_us, "
      "time_frame_end_us, raised) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (cluster_row, epoch, first_sequence) DO UPDATE SET "
      "last_sequence = excluded.last_sequence, "
      "origin_sequence = excluded.origin_sequence, "
      "opened_at_us = excluded.opened_at_us, "
      "time_frame_start_us = excluded.time_frame_start_us, "
      "time_frame_end_us = excluded.time_frame_end_us, "
      "raised = excluded.raised",
      *cluster, gap.epoch, gap.first, gap.last, gap.origin,
      Micros(gap.opened_at), StartMicros(gap.time_frame.start),
      EndMicros(gap.time_frame.end), gap.raised);
}

absl::Status Session::RemoveGap(std::string_view cluster_id, uint64_t epoch,
                                uint64_t first) {
  return Run(
      "DELETE FROM sequence_gap WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND epoch = ? AND "
      "first_sequence = ?",
      cluster_id, epoch, first);
}

}  // namespace mc::service

#include "cluster-agent/outbox/usage_rows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/usage/check.h"
#include "cluster-agent/domain/usage/frame_usage.h"
#include "cluster-agent/domain/usage/split.h"
#include "cluster-agent/outbox/report_rows.h"
#include "cluster-agent/outbox/rows.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Consumption;
using missioncontrol::v1::UsageRecord;
using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;

// A pause between two calls that is longer than this was no running: the
// machine slept, or its clock jumped.
constexpr absl::Duration kLongestPause = absl::Hours(2);

std::string UsageSum(std::string_view payload, int64_t from_us,
                     int64_t until_us) {
  return RowSum(payload, {static_cast<uint64_t>(from_us),
                          static_cast<uint64_t>(until_us)});
}

// Takes away what earlier frames of another length have already reported.
void Shorten(int64_t from_us, UsageRecord& record) {
  if (!record.has_host()) return;
  const absl::Time from = absl::FromUnixMicros(from_us);
  const absl::StatusOr<TimeFrame> used = UsedDuring(record);
  if (used.ok() && used->start < from) {
    *record.mutable_host()->mutable_monitored()->mutable_start() =
        mc::ToProto(from);
  }
}

// Closes frames one after the other in one transaction.
class Closer {
 public:
  Closer(Database& database, const CloseParameters& parameters)
      : database_(database), p_(parameters) {}

  absl::StatusOr<CloseResult> Run() {
    absl::Status status = CorrectTimes();
    if (status.ok()) status = NoteFrames();
    if (status.ok()) status = LoadEnvironments();
    while (status.ok()) {
      const absl::StatusOr<std::optional<TimeFrame>> frame = NextFrame();
      if (!frame.ok()) return frame.status();
      if (!frame->has_value()) break;
      status = Close(**frame);
      ++result_.frames;
    }
    if (!status.ok()) return status;
    return result_;
  }

 private:
  // The current part of a record that is longer than the frame.
  struct Remainder {
    int64_t id;
    int64_t until_us;
    std::string payload;
  };

  void At(std::string_view step) const {
    if (p_.failpoint) p_.failpoint(step);
  }

  // What was stamped by a clock that has turned out to be wrong.
  absl::Status CorrectTimes() {
    if (!p_.time.anchored) return absl::OkStatus();
    std::map<int64_t, UsageRow> corrected;
    absl::Status status = QueryAll(
        database_,
        "SELECT id, from_us, until_us, payload, sha256 FROM usage_record "
        "WHERE until_us > ?",
        [&](Statement& row) {
          const std::string payload = row.BlobBytes(3);
          UsageRecord record;
          if (row.BlobBytes(4) !=
                  UsageSum(payload, row.Int64(1), row.Int64(2)) ||
              !record.ParseFromString(payload)) {
            return;
          }
          Shorten(row.Int64(1), record);
          if (!CorrectTime(p_.time, record)) return;
          absl::StatusOr<UsageRow> usage = ToUsageRow(record, p_.time.now);
          if (usage.ok()) corrected[row.Int64(0)] = *std::move(usage);
        },
        absl::ToUnixMicros(p_.time.now + kMaxUsageAhead));
    for (const auto& [id, row] : corrected) {
      if (!status.ok()) break;
      const std::string sum = UsageSum(row.payload, row.from_us, row.until_us);
      status =
          Execute(database_,
                  "UPDATE usage_record SET from_us = ?, until_us = ?, "
                  "payload = ?, sha256 = ? WHERE id = ?",
                  row.from_us, row.until_us, Blob{row.payload}, Blob{sum}, id);
    }
    return status;
  }

  absl::Status NoteFrames() {
    // Frames that a clock that was ahead has announced.
    absl::Status forgotten = Execute(
        database_, "DELETE FROM frame WHERE closed = 0 AND start_us > ?",
        absl::ToUnixMicros(p_.time.now));
    if (!forgotten.ok()) return forgotten;
    absl::Time time = std::max(p_.running_since, p_.time.now - kLongestPause);
    time = FrameOf(std::min(time, p_.time.now), p_.frame_length).start;
    for (; time <= p_.time.now; time += p_.frame_length) {
      absl::Status noted = Execute(
          database_,
          "INSERT INTO frame (start_us, end_us, closed) "
          "VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
          absl::ToUnixMicros(time), absl::ToUnixMicros(time + p_.frame_length));
      if (!noted.ok()) return noted;
    }
    return absl::OkStatus();
  }

  absl::Status LoadEnvironments() {
    return QueryAll(
        database_,
        "SELECT environment_id FROM environment "
        "ORDER BY environment_id",
        [this](Statement& row) { environments_.push_back(row.Text(0)); });
  }

  // The oldest frame that has ended and is to be closed.
  absl::StatusOr<std::optional<TimeFrame>> NextFrame() {
    const TimeFrame current = FrameOf(p_.time.close_until, p_.frame_length);
    std::optional<int64_t> oldest;
    const auto read = [&](Statement& row) {
      const std::optional<int64_t> start = row.OptionalInt64(0);
      if (start.has_value()) oldest = std::min(oldest.value_or(*start), *start);
    };
    absl::StatusOr<bool> row = QueryOne(
        database_, "SELECT min(from_us) FROM usage_record WHERE from_us < ?",
        read, absl::ToUnixMicros(current.start));
    if (row.ok()) {
      row = QueryOne(database_,
                     "SELECT min(start_us) FROM frame "
                     "WHERE closed = 0 AND end_us <= ?",
                     read, absl::ToUnixMicros(current.start));
    }
    if (!row.ok()) return row.status();
    if (!oldest.has_value()) return std::optional<TimeFrame>();
    return std::optional<TimeFrame>(
        FrameOf(absl::FromUnixMicros(*oldest), p_.frame_length));
  }

  absl::Status Close(const TimeFrame& frame) {
    At("frame begun");
    FrameUsage usage(frame);
    bool any = false;
    bool closed = false;
    const absl::StatusOr<bool> known = QueryOne(
        database_, "SELECT closed FROM frame WHERE start_us = ? AND end_us = ?",
        [&](Statement& row) { closed = row.Bool(0); },
        absl::ToUnixMicros(frame.start), absl::ToUnixMicros(frame.end));
    if (!known.ok()) return known.status();
    if (!closed) {
      for (const std::string& environment : environments_) {
        usage.AddEnvironment(environment);
        any = true;
      }
    }
    absl::Status status = AddRecords(frame, usage, any);
    if (status.ok() && any) status = PutReports(usage);
    if (status.ok()) status = RemoveRecords(frame);
    if (status.ok()) {
      status = Execute(database_,
                       "INSERT INTO frame (start_us, end_us, closed, "
                       "closed_age_us) VALUES (?1, ?2, 1, ?3) "
                       "ON CONFLICT DO UPDATE SET closed = 1, "
                       "closed_age_us = ?3",
                       absl::ToUnixMicros(frame.start),
                       absl::ToUnixMicros(frame.end),
                       absl::ToInt64Microseconds(p_.age));
    }
    At("frame closed");
    return status;
  }

  absl::Status AddRecords(const TimeFrame& frame, FrameUsage& usage,
                          bool& any) {
    remainders_.clear();
    damaged_.clear();
    const int64_t end_us = absl::ToUnixMicros(frame.end);
    absl::StatusOr<Statement> rows = database_.Prepare(
        "SELECT id, from_us, until_us, payload, sha256 FROM usage_record "
        "WHERE from_us < ? ORDER BY id");
    if (!rows.ok()) return rows.status();
    rows->Bind(1, end_us);
    UsageRecord record;
    for (;;) {
      const absl::StatusOr<bool> row = rows->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      const int64_t from_us = rows->Int64(1);
      const int64_t until_us = rows->Int64(2);
      std::string payload = rows->BlobBytes(3);
      absl::Status added = absl::DataLossError("its checksum is wrong");
      if (rows->BlobBytes(4) == UsageSum(payload, from_us, until_us) &&
          record.ParseFromString(payload)) {
        Shorten(from_us, record);
        added = usage.Add(record);
        if (absl::IsOutOfRange(added)) {
          // What no sum can hold any more goes into a further report.
          added = PutReports(usage);
          if (!added.ok()) return added;
          usage = FrameUsage(frame);
          added = usage.Add(record);
        }
      }
      if (!added.ok()) {
        damaged_.push_back(rows->Int64(0));
        continue;
      }
      any = true;
      if (until_us > end_us) {
        remainders_.push_back({rows->Int64(0), until_us, std::move(payload)});
      }
    }
  }

  absl::Status PutReports(const FrameUsage& usage) {
    for (Consumption& part :
         SplitConsumption(usage.Build(p_.cluster_id), p_.max_report_bytes)) {
      missioncontrol::v1::ReportEnvelope envelope;
      *envelope.mutable_created_at() = mc::ToProto(p_.time.now);
      *envelope.mutable_consumption() = std::move(part);
      const absl::StatusOr<ReportKey> key =
          InsertReport(database_, missioncontrol::v1::LANE_BILLING,
                       std::move(envelope), p_.time.now);
      if (!key.ok()) return key.status();
      ++result_.reports;
      At("report stored");
    }
    return absl::OkStatus();
  }

  absl::Status RemoveRecords(const TimeFrame& frame) {
    const int64_t end_us = absl::ToUnixMicros(frame.end);
    absl::Status status;
    for (const int64_t id : damaged_) {
      if (status.ok()) status = SetAside(id);
    }
    if (status.ok()) {
      status = Execute(
          database_,
          "DELETE FROM usage_record WHERE from_us < ?1 AND until_us <= ?1",
          end_us);
    }
    for (const Remainder& rest : remainders_) {
      if (!status.ok()) break;
      const std::string sum = UsageSum(rest.payload, end_us, rest.until_us);
      status = Execute(database_,
                       "UPDATE usage_record SET from_us = ?, sha256 = ? "
                       "WHERE id = ?",
                       end_us, Blob{sum}, rest.id);
    }
    At("records removed");
    return status;
  }

  absl::Status SetAside(int64_t id) {
    absl::Status status = Execute(
        database_,
        "INSERT INTO damaged_usage SELECT id, from_us, until_us, payload, "
        "sha256, ? FROM usage_record WHERE id = ?",
        absl::ToUnixMicros(p_.time.now), id);
    if (status.ok()) {
      status = Execute(database_, "DELETE FROM usage_record WHERE id = ?", id);
    }
    if (status.ok() && p_.on_damage) {
      p_.on_damage(absl::StrCat(
          database_.path(), ": usage record ", id,
          " is damaged; it was set aside in table damaged_usage and is not "
          "reported. Check the disk"));
    }
    return status;
  }

  Database& database_;
  const CloseParameters& p_;
  std::vector<std::string> environments_;
  std::vector<Remainder> remainders_;
  std::vector<int64_t> damaged_;
  CloseResult result_;
};

}  // namespace

absl::StatusOr<UsageRow> ToUsageRow(UsageRecord record, absl::Time now) {
  if (!record.has_host() && !record.has_used_at()) {
    *record.mutable_used_at() = mc::ToProto(now);
  }
  const absl::StatusOr<TimeFrame> used = UsedDuring(record);
  if (!used.ok()) return used.status();
  UsageRow row;
  row.key = record.idempotency_key();
  row.from_us = absl::ToUnixMicros(used->start);
  // Rounded up, so that the last part is not forgotten.
  row.until_us = absl::ToUnixMicros(used->end + absl::Nanoseconds(999));
  row.payload = record.SerializeAsString();
  return row;
}

absl::StatusOr<RecordUsageResult> InsertUsage(Database& database,
                                              std::span<const UsageRow> rows,
                                              absl::Duration age) {
  RecordUsageResult result;
  for (const UsageRow& row : rows) {
    absl::Status status =
        Execute(database,
                "INSERT INTO usage_key (idempotency_key, recorded_age_us) "
                "VALUES (?, ?) ON CONFLICT DO NOTHING",
                std::string_view(row.key), absl::ToInt64Microseconds(age));
    if (!status.ok()) return status;
    if (database.changes() == 0) {
      ++result.repeated;
      continue;
    }
    const std::string sum = UsageSum(row.payload, row.from_us, row.until_us);
    status = Execute(database,
                     "INSERT INTO usage_record (from_us, until_us, payload, "
                     "sha256) VALUES (?, ?, ?, ?)",
                     row.from_us, row.until_us, Blob{row.payload}, Blob{sum});
    if (!status.ok()) return status;
    ++result.recorded;
  }
  return result;
}

absl::StatusOr<CloseResult> CloseEndedFrames(
    Database& database, const CloseParameters& parameters) {
  return Closer(database, parameters).Run();
}

absl::Status NoteRunningFrame(Database& database, absl::Time now,
                              absl::Duration frame_length) {
  const TimeFrame frame = FrameOf(now, frame_length);
  absl::Status status = Execute(
      database, "DELETE FROM frame WHERE closed = 0 AND end_us - start_us <> ?",
      absl::ToInt64Microseconds(frame_length));
  if (!status.ok()) return status;
  return Execute(database,
                 "INSERT INTO frame (start_us, end_us, closed) "
                 "VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
                 absl::ToUnixMicros(frame.start),
                 absl::ToUnixMicros(frame.end));
}

}  // namespace mc::agent

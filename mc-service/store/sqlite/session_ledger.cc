// The ledger: entries, and what they were made of.
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Statement;

// Beyond what 64 bits hold, the first or last time that they do.
int64_t Nanos(absl::Time time) { return absl::ToUnixNanos(time); }
absl::Time FromNanos(int64_t nanos) { return absl::FromUnixNanos(nanos); }

constexpr std::string_view kEntry =
    "SELECT e.id, a.account_id, l.license_id, c.cluster_id, e.environment_id, "
    "e.meter, e.meter_id, e.unit, e.resource_id, e.start_ns, e.end_ns, "
    "e.quantity, e.epoch, e.sequence, e.accepted_at_us, e.has_parts "
    "FROM ledger_entry AS e JOIN account AS a ON a.id = e.account_row "
    "JOIN license AS l ON l.id = e.license_row "
    "JOIN cluster AS c ON c.id = e.cluster_row ";

std::string Entries(std::string_view rest) {
  return std::string(kEntry).append(rest);
}

}  // namespace

absl::StatusOr<LedgerEntry> Session::ReadLedgerEntry(const Statement& row) {
  LedgerEntry entry;
  entry.account_id = row.Text(1);
  entry.license_id = row.Text(2);
  entry.cluster_id = row.Text(3);
  entry.identity = {row.Text(4), static_cast<v1::Meter>(row.Int64(5)),
                    row.Text(6), row.Text(7), row.Text(8)};
  entry.start = FromNanos(row.Int64(9));
  entry.end = FromNanos(row.Int64(10));
  entry.quantity = row.Int64(11);
  entry.epoch = row.Uint64(12);
  entry.sequence = row.Uint64(13);
  entry.accepted_at = FromMicros(row.Int64(14));
  if (row.Bool(15)) {
    absl::Status done = ForEach(
        [&](const Statement& part) {
          entry.parts.push_back({part.Uint64(0), part.Int64(1)});
          return absl::OkStatus();
        },
        "SELECT epoch, quantity FROM ledger_part WHERE entry_row = ? "
        "ORDER BY epoch",
        row.Int64(0));
    if (!done.ok()) return done;
  }
  return entry;
}

absl::StatusOr<std::vector<ReportedFrame>> Session::FramesOfHour(
    std::string_view cluster_id, absl::Time hour) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  std::vector<ReportedFrame> frames;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        frames.push_back({FromNanos(row.Int64(0)), FromNanos(row.Int64(1)),
                          row.Uint64(2), row.Int64(3)});
        return absl::OkStatus();
      },
      "SELECT start_ns, end_ns, epoch, reports FROM ledger_frame "
      "WHERE cluster_row = ? AND start_ns >= ? AND start_ns < ? "
      "ORDER BY start_ns, end_ns, epoch",
      *cluster, Nanos(hour), Nanos(hour + absl::Hours(1)));
  if (!done.ok()) return done;
  return frames;
}

absl::StatusOr<std::optional<absl::Time>> Session::NextLedgerTime(
    std::string_view cluster_id, absl::Time from) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  std::optional<absl::Time> next;
  for (const std::string_view sql :
       {"SELECT min(start_ns) FROM ledger_frame WHERE cluster_row = ? AND "
        "start_ns >= ?",
        "SELECT min(start_ns) FROM ledger_entry WHERE cluster_row = ? AND "
        "start_ns >= ?"}) {
    absl::Status done = ForEach(
        [&](const Statement& row) {
          if (row.IsNull(0)) return absl::OkStatus();
          const absl::Time found = FromNanos(row.Int64(0));
          if (!next.has_value() || found < *next) next = found;
          return absl::OkStatus();
        },
        sql, *cluster, Nanos(from));
    if (!done.ok()) return done;
  }
  return next;
}

absl::StatusOr<Paged<StoredConsumption>> Session::ReportsOfHour(
    std::string_view cluster_id, absl::Time hour, const Page& page) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  // Without the index's name all reports of the cluster might be read.
  return List<StoredConsumption>(
      page, [&](const Statement& row) { return ReadConsumption(row); },
      "SELECT r.id, cluster.cluster_id, r.epoch, r.sequence, license_id, "
      "r.accepted_at_us FROM consumption_report AS r "
      "INDEXED BY consumption_report_by_cluster_and_time "
      "JOIN cluster ON cluster.id = r.cluster_row "
      "JOIN license ON license.id = r.license_row "
      "WHERE r.cluster_row = ? AND r.time_frame_start_ns >= ? "
      "AND r.time_frame_start_ns < ? AND +r.id > ? ORDER BY r.id LIMIT ?",
      *cluster, Nanos(hour), Nanos(hour + absl::Hours(1)), page.after);
}

absl::StatusOr<std::vector<MonitoredInterval>> Session::HostIntervals(
    std::string_view cluster_id, std::string_view environment_id,
    std::string_view host_id, absl::Time hour) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  std::vector<MonitoredInterval> intervals;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        intervals.push_back(
            {row.Uint64(0), FromNanos(row.Int64(1)), FromNanos(row.Int64(2))});
        return absl::OkStatus();
      },
      "SELECT r.epoch, i.start_ns, i.end_ns FROM consumption_report AS r "
      "INDEXED BY consumption_report_by_cluster_and_time "
      "JOIN consumption_environment AS e ON e.parent = r.id "
      "JOIN consumption_host AS h ON h.parent = e.id "
      "JOIN consumption_interval AS i ON i.parent = h.id "
      "WHERE r.cluster_row = ? AND e.environment_id = ? AND h.host_id = ? "
      "AND r.time_frame_start_ns >= ? AND r.time_frame_start_ns < ? "
      "ORDER BY r.id, i.position",
      *cluster, environment_id, host_id, Nanos(hour),
      Nanos(hour + absl::Hours(1)));
  if (!done.ok()) return done;
  return intervals;
}

absl::StatusOr<HostHour> Session::GetHostHour(std::string_view cluster_id,
                                              std::string_view environment_id,
                                              std::string_view host_id,
                                              absl::Time hour) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  return One<HostHour>(
      [&](const Statement& row) {
        return HostHour{row.Text(0),
                        std::string(cluster_id),
                        std::string(environment_id),
                        std::string(host_id),
                        hour,
                        absl::Nanoseconds(row.Int64(1)),
                        row.Int64(2)};
      },
      "SELECT license_id, monitored_ns, host_units_milli FROM host_hour "
      "JOIN license ON license.id = license_row WHERE cluster_row = ? AND "
      "environment_id = ? AND host_id = ? AND hour_us = ?",
      *cluster, environment_id, host_id, Micros(hour));
}

absl::StatusOr<LedgerEntry> Session::GetLedgerEntry(
    std::string_view cluster_id, const UsageIdentity& identity,
    absl::Time start, absl::Time end) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<LedgerEntry> entry = absl::NotFoundError("no such entry");
  absl::Status done = ForEach(
      [&](const Statement& row) {
        entry = ReadLedgerEntry(row);
        return entry.status();
      },
      Entries("WHERE e.cluster_row = ? AND e.start_ns = ? AND e.end_ns = ? "
              "AND e.environment_id = ? AND e.meter = ? AND e.meter_id = ? "
              "AND e.unit = ? AND e.resource_id = ?"),
      *cluster, Nanos(start), Nanos(end), identity.environment_id,
      int{identity.meter}, identity.meter_id, identity.unit,
      identity.resource_id);
  if (!done.ok()) return done;
  return entry;
}

absl::StatusOr<std::vector<LedgerEntry>> Session::LedgerEntriesOfHour(
    std::string_view cluster_id, absl::Time hour) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  std::vector<LedgerEntry> entries;
  absl::Status done = ForEach(
      [&](const Statement& row) -> absl::Status {
        absl::StatusOr<LedgerEntry> entry = ReadLedgerEntry(row);
        if (!entry.ok()) return entry.status();
        entries.push_back(*std::move(entry));
        return absl::OkStatus();
      },
      Entries("WHERE e.cluster_row = ? AND e.start_ns >= ? AND e.start_ns < ?"),
      *cluster, Nanos(hour), Nanos(hour + absl::Hours(1)));
  if (!done.ok()) return done;
  return entries;
}

absl::StatusOr<Paged<LedgerEntry>> Session::ListLedgerEntries(
    const LedgerFilter& filter, const Page& page) {
  // Every value is bound whether its condition is there or not.
  std::string sql = Entries("WHERE e.id > ?1 ");
  if (!filter.account_id.empty()) {
    sql +=
        "AND e.account_row = (SELECT id FROM account WHERE account_id = ?2) ";
  }
  if (!filter.license_id.empty()) {
    sql +=
        "AND e.license_row = (SELECT id FROM license WHERE license_id = ?3) ";
  }
  if (!filter.cluster_id.empty()) {
    sql +=
        "AND e.cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?4) ";
  }
  if (!filter.environment_id.empty()) sql += "AND e.environment_id = ?5 ";
  // By position, not by time: an index on time would be sorted for each page.
  sql += "AND +e.start_ns >= ?6 AND +e.start_ns < ?7 ";
  sql += "ORDER BY e.id LIMIT ?8";
  return List<LedgerEntry>(
      page, [&](const Statement& row) { return ReadLedgerEntry(row); }, sql,
      page.after, filter.account_id, filter.license_id, filter.cluster_id,
      filter.environment_id, Nanos(filter.from), Nanos(filter.to));
}

absl::StatusOr<std::vector<StoredConsumption>> Session::UnenteredReports(
    int limit) {
  std::vector<StoredConsumption> reports;
  absl::Status done = ForEach(
      [&](const Statement& row) -> absl::Status {
        absl::StatusOr<StoredConsumption> report = ReadConsumption(row);
        if (!report.ok()) return report.status();
        reports.push_back(*std::move(report));
        return absl::OkStatus();
      },
      "SELECT r.id, cluster.cluster_id, r.epoch, r.sequence, license_id, "
      "r.accepted_at_us FROM consumption_report AS r "
      "JOIN cluster ON cluster.id = r.cluster_row "
      "JOIN license ON license.id = r.license_row "
      "WHERE r.id > (SELECT entered FROM ledger_backlog) "
      "AND r.id <= (SELECT last FROM ledger_backlog) ORDER BY r.id LIMIT ?",
      limit);
  if (!done.ok()) return done;
  return reports;
}

absl::Status Session::MarkEntered(int count) {
  if (count <= 0) return absl::OkStatus();
  return Run(
      "UPDATE ledger_backlog SET entered = coalesce((SELECT id FROM "
      "consumption_report WHERE id > entered AND id <= last ORDER BY id "
      "LIMIT 1 OFFSET ?), last)",
      count - 1);
}

absl::Status Session::AddReportedFrame(std::string_view cluster_id,
                                       const ReportedFrame& frame) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Run(
      "INSERT INTO ledger_frame (cluster_row, start_ns, end_ns, epoch, "
      "reports) VALUES (?, ?, ?, ?, 1) "
      "ON CONFLICT DO UPDATE SET reports = reports + 1",
      *cluster, Nanos(frame.start), Nanos(frame.end), frame.epoch);
}

absl::Status Session::PutHostHour(const HostHour& host_hour) {
  absl::StatusOr<int64_t> license = LicenseRow(host_hour.license_id);
  if (!license.ok()) return license.status();
  absl::StatusOr<int64_t> cluster = ClusterRow(host_hour.cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Run(
      "INSERT INTO host_hour (license_row, cluster_row, environment_id, "
      "host_id, hour_us, monitored_ns, host_units_milli) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (cluster_row, environment_id, host_id, hour_us) DO UPDATE "
      "SET license_row = excluded.license_row, "
      "monitored_ns = excluded.monitored_ns, "
      "host_units_milli = excluded.host_units_milli",
      *license, *cluster, host_hour.environment_id, host_hour.host_id,
      Micros(host_hour.hour), absl::ToInt64Nanoseconds(host_hour.monitored),
      host_hour.host_units_milli);
}

absl::Status Session::PutLedgerEntry(const LedgerEntry& entry) {
  absl::StatusOr<int64_t> cluster = ClusterRow(entry.cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<int64_t> license = LicenseRow(entry.license_id);
  if (!license.ok()) return license.status();
  absl::StatusOr<int64_t> account = AccountRowOf(*license);
  if (!account.ok()) return account.status();
  const UsageIdentity& identity = entry.identity;
  const auto put = [&](const char* sql) {
    return Run(sql, *account, *license, *cluster, identity.environment_id,
               int{identity.meter}, identity.meter_id, identity.unit,
               identity.resource_id, Nanos(entry.start), Nanos(entry.end),
               entry.quantity, entry.epoch, entry.sequence,
               Micros(entry.accepted_at), !entry.parts.empty());
  };
  constexpr const char* kPut =
      "INSERT INTO ledger_entry (account_row, license_row, cluster_row, "
      "environment_id, meter, meter_id, unit, resource_id, start_ns, end_ns, "
      "quantity, epoch, sequence, accepted_at_us, has_parts) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (cluster_row, start_ns, end_ns, environment_id, meter, "
      "meter_id, unit, resource_id) DO UPDATE "
      "SET quantity = excluded.quantity, epoch = excluded.epoch, "
      "sequence = excluded.sequence, accepted_at_us = excluded.accepted_at_us, "
      "has_parts = excluded.has_parts";
  // The parts of an entry only ever get more.
  if (entry.parts.empty()) return put(kPut);
  return Atomically([&]() -> absl::Status {
    absl::Status done = put(kPut);
    for (const LedgerPart& part : entry.parts) {
      if (!done.ok()) break;
      done = Run(
          "INSERT INTO ledger_part (entry_row, epoch, quantity) "
          "SELECT id, ?, ? FROM ledger_entry WHERE cluster_row = ? AND "
          "start_ns = ? AND end_ns = ? AND environment_id = ? AND meter = ? "
          "AND meter_id = ? AND unit = ? AND resource_id = ? "
          "ON CONFLICT DO UPDATE SET quantity = excluded.quantity",
          part.epoch, part.quantity, *cluster, Nanos(entry.start),
          Nanos(entry.end), identity.environment_id, int{identity.meter},
          identity.meter_id, identity.unit, identity.resource_id);
    }
    return done;
  });
}

}  // namespace mc::service

// Accepted reports, the marks of their lanes, and health reports.
#include "mc-service/store/checks.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Blob;
using sqlite::Statement;

}  // namespace

absl::StatusOr<AcceptedReport> Session::FindReport(const ReportKey& key) {
  return One<AcceptedReport>(
      [&](const Statement& row) {
        return AcceptedReport{key, row.BlobBytes(0), row.BlobBytes(1),
                              FromMicros(row.Int64(2))};
      },
      "SELECT digest, receipt, accepted_at_us FROM report WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND lane = ? AND "
      "epoch = ? AND sequence = ?",
      key.cluster_id, int{key.lane}, key.epoch, key.sequence);
}

absl::StatusOr<uint64_t> Session::HighestSequence(std::string_view cluster_id,
                                                  v1::Lane lane,
                                                  uint64_t epoch) {
  return Number(
      "SELECT coalesce((SELECT sequence FROM lane_mark WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) AND lane = ? AND "
      "epoch = ?), 0)",
      cluster_id, int{lane}, epoch);
}

absl::Status Session::InsertReport(const AcceptedReport& report) {
  const ReportKey& key = report.key;
  if (absl::Status fits = CheckSequence(key); !fits.ok()) return fits;
  absl::StatusOr<int64_t> cluster = ClusterRow(key.cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::Status done =
      Run("INSERT INTO report (cluster_row, lane, epoch, sequence, digest, "
          "receipt, accepted_at_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
          *cluster, int{key.lane}, key.epoch, key.sequence, Blob{report.digest},
          Blob{report.receipt}, Micros(report.accepted_at));
  return done.ok() ? RaiseHighestSequence(key) : done;
}

absl::Status Session::RaiseHighestSequence(const ReportKey& key) {
  if (absl::Status fits = CheckSequence(key); !fits.ok()) return fits;
  absl::StatusOr<int64_t> cluster = ClusterRow(key.cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Run(
      "INSERT INTO lane_mark (cluster_row, lane, epoch, sequence) "
      "VALUES (?, ?, ?, ?) ON CONFLICT (cluster_row, lane, epoch) DO UPDATE "
      "SET sequence = excluded.sequence WHERE sequence < excluded.sequence",
      *cluster, int{key.lane}, key.epoch, key.sequence);
}

absl::StatusOr<StoredHealth> Session::ReadHealth(const Statement& row) {
  StoredHealth health;
  const int64_t id = row.Int64(0);
  health.cluster_id = row.Text(1);
  health.received_at = FromMicros(row.Int64(2));
  absl::Status loaded =
      tables_.health_check.Load(database_, id, health.health_check);
  if (loaded.ok()) {
    loaded = tables_.health_result.Load(database_, id, health.result);
  }
  if (!loaded.ok()) return loaded;
  return health;
}

absl::StatusOr<StoredHealth> Session::LatestHealth(
    std::string_view cluster_id) {
  absl::StatusOr<Paged<StoredHealth>> latest =
      ListHealth(cluster_id, {.limit = 1});
  if (!latest.ok()) return latest.status();
  if (latest->items.empty()) {
    return absl::NotFoundError("the cluster has no health report");
  }
  return std::move(latest->items.front());
}

absl::StatusOr<Paged<StoredHealth>> Session::ListHealth(
    std::string_view cluster_id, const Page& page) {
  return List<StoredHealth>(
      page, [&](const Statement& row) { return ReadHealth(row); },
      "SELECT health_report.id, cluster.cluster_id, received_at_us "
      "FROM cluster JOIN health_report ON cluster_row = cluster.id "
      "WHERE cluster.cluster_id = ? AND health_report.id < ? "
      "ORDER BY health_report.id DESC LIMIT ?",
      cluster_id, Before(page));
}

absl::Status Session::InsertHealth(const StoredHealth& health, int keep) {
  absl::StatusOr<int64_t> cluster = ClusterRow(health.cluster_id);
  if (!cluster.ok()) return cluster.status();
  const int64_t at = Micros(health.received_at);
  return Atomically([&]() -> absl::Status {
    const int64_t keys[] = {*cluster, at};
    absl::StatusOr<int64_t> id =
        tables_.health_check.Insert(database_, keys, health.health_check);
    if (!id.ok()) return id.status();
    absl::Status done =
        tables_.health_result.Insert(database_, {&*id, 1}, health.result)
            .status();
    if (done.ok()) {
      done = Run(
          "UPDATE cluster SET health = ?, last_health_at_us = ? WHERE id = ?",
          int{health.result.status()}, at, *cluster);
    }
    if (!done.ok()) return done;
    // The rows below them go by themselves.
    return Run(
        "DELETE FROM health_report WHERE cluster_row = ?1 AND id <= "
        "(SELECT id FROM health_report WHERE cluster_row = ?1 "
        "ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        *cluster, std::max(1, keep));
  });
}

}  // namespace mc::service

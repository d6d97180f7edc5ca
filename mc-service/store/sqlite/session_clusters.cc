// Clusters and their presence.
#include <algorithm>
#include <optional>

#include "absl/strings/str_split.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Blob;
using sqlite::Statement;

constexpr std::string_view kOverview =
    "SELECT cluster.id, cluster_id, license_id, registration, "
    "registered_at_us, user_name, password_digest, tls_key_digest, "
    "site_public_key, certificate_serial, certificate_not_after_us, "
    "remote_ui_requested, account_id, account.name, license.name, "
    "last_heartbeat_at_us, health, last_health_at_us, clone_suspected_at_us, "
    "adopted_instance_id, adopted_at_us, "
    "(SELECT group_concat(agent_instance_id, ' ') FROM clone_instance "
    "WHERE cluster_row = cluster.id) "
    "FROM cluster JOIN license ON license.id = cluster.license_row "
    "JOIN account ON account.id = license.account_row ";

ClusterOverview ReadOverview(const Statement& row) {
  ClusterOverview overview;
  Cluster& cluster = overview.cluster;
  cluster.id = row.Text(1);
  cluster.license_id = row.Text(2);
  cluster.registration = static_cast<v1::RegistrationStatus>(row.Int64(3));
  cluster.registered_at = FromMicros(row.Int64(4));
  cluster.user_name = row.Text(5);
  cluster.password_digest = row.BlobBytes(6);
  cluster.tls_key_digest = row.BlobBytes(7);
  cluster.site_public_key = row.BlobBytes(8);
  cluster.certificate_serial = row.Text(9);
  cluster.certificate_not_after = FromMicros(row.Int64(10));
  cluster.remote_ui_requested = row.Bool(11);
  overview.account_id = row.Text(12);
  overview.account_name = row.Text(13);
  overview.license_name = row.Text(14);
  if (!row.IsNull(15)) overview.last_heartbeat_at = FromMicros(row.Int64(15));
  overview.health = static_cast<v1::HealthStatus>(row.Int64(16));
  if (!row.IsNull(17)) overview.last_health_at = FromMicros(row.Int64(17));
  if (!row.IsNull(18)) overview.clone_suspected_at = FromMicros(row.Int64(18));
  cluster.adopted_instance_id = row.Text(19);
  if (!row.IsNull(20)) cluster.adopted_at = FromMicros(row.Int64(20));
  // IDs have no spaces.
  overview.clone_instance_ids =
      absl::StrSplit(row.Text(21), ' ', absl::SkipEmpty());
  std::sort(overview.clone_instance_ids.begin(),
            overview.clone_instance_ids.end());
  return overview;
}

}  // namespace

absl::StatusOr<int64_t> Session::ClusterRow(std::string_view cluster_id) {
  return Remembered(cluster_, cluster_id,
                    "SELECT id FROM cluster WHERE cluster_id = ?");
}

absl::StatusOr<int64_t> Session::CountClusters(std::string_view license_id) {
  return Number(
      "SELECT count(*) FROM cluster WHERE license_row = "
      "(SELECT id FROM license WHERE license_id = ?) "
      "AND registration NOT IN (?, ?)",
      license_id, int{v1::REGISTRATION_STATUS_REVOKED},
      int{v1::REGISTRATION_STATUS_PENDING});
}

absl::StatusOr<int64_t> Session::CountPendingClusters(
    std::string_view license_id) {
  return Number(
      "SELECT count(*) FROM cluster WHERE license_row = "
      "(SELECT id FROM license WHERE license_id = ?) AND registration = ?",
      license_id, int{v1::REGISTRATION_STATUS_PENDING});
}

absl::StatusOr<Cluster> Session::GetCluster(std::string_view id) {
  absl::StatusOr<ClusterOverview> overview = GetClusterOverview(id);
  if (!overview.ok()) return overview.status();
  return std::move(overview->cluster);
}

absl::StatusOr<ClusterOverview> Session::GetClusterOverview(
    std::string_view id) {
  return One<ClusterOverview>(
      ReadOverview, std::string(kOverview).append("WHERE cluster_id = ?"), id);
}

absl::StatusOr<Paged<ClusterOverview>> Session::ListClusters(
    const ClusterFilter& filter, const Page& page) {
  // Every value is bound whether its condition is there or not.
  std::string sql = std::string(kOverview).append("WHERE cluster.id > ?1 ");
  if (!filter.account_id.empty()) sql += "AND account_id = ?2 ";
  if (!filter.license_id.empty()) sql += "AND license_id = ?3 ";
  if (filter.health != v1::HEALTH_STATUS_UNSPECIFIED) sql += "AND health = ?4 ";
  if (filter.heartbeat_since) sql += "AND last_heartbeat_at_us >= ?5 ";
  if (filter.heartbeat_before) sql += "AND last_heartbeat_at_us < ?6 ";
  if (filter.never_seen) sql += "AND last_heartbeat_at_us IS NULL ";
  if (filter.registration != v1::REGISTRATION_STATUS_UNSPECIFIED) {
    sql += "AND registration = ?7 ";
  }
  sql += "ORDER BY cluster.id LIMIT ?8";
  return List<ClusterOverview>(
      page,
      [](const Statement& row) -> absl::StatusOr<ClusterOverview> {
        return ReadOverview(row);
      },
      sql, page.after, filter.account_id, filter.license_id, int{filter.health},
      Micros(filter.heartbeat_since.value_or(absl::Time())),
      Micros(filter.heartbeat_before.value_or(absl::Time())),
      int{filter.registration});
}

absl::Status Session::PutCluster(const Cluster& cluster) {
  absl::StatusOr<int64_t> license = LicenseRow(cluster.license_id);
  if (!license.ok()) return license.status();
  std::optional<int64_t> adopted_at;
  if (cluster.adopted_at != absl::InfinitePast()) {
    adopted_at = Micros(cluster.adopted_at);
  }
  return Run(
      "INSERT INTO cluster (cluster_id, license_row, registration, "
      "registered_at_us, user_name, password_digest, tls_key_digest, "
      "site_public_key, certificate_serial, certificate_not_after_us, "
      "remote_ui_requested, adopted_instance_id, adopted_at_us) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (cluster_id) DO UPDATE SET "
      "license_row = excluded.license_row, "
      "registration = excluded.registration, "
      "registered_at_us = excluded.registered_at_us, "
      "user_name = excluded.user_name, "
      "password_digest = excluded.password_digest, "
      "tls_key_digest = excluded.tls_key_digest, "
      "site_public_key = excluded.site_public_key, "
      "certificate_serial = excluded.certificate_serial, "
      "certificate_not_after_us = excluded.certificate_not_after_us, "
      "remote_ui_requested = excluded.remote_ui_requested, "
      "adopted_instance_id = excluded.adopted_instance_id, "
      "adopted_at_us = excluded.adopted_at_us",
      cluster.id, *license, int{cluster.registration},
      Micros(cluster.registered_at), cluster.user_name,
      Blob{cluster.password_digest}, Blob{cluster.tls_key_digest},
      Blob{cluster.site_public_key}, cluster.certificate_serial,
      Micros(cluster.certificate_not_after), cluster.remote_ui_requested,
      cluster.adopted_instance_id, adopted_at);
}

absl::StatusOr<std::vector<NodePresence>> Session::ListPresence(
    std::string_view cluster_id) {
  std::vector<NodePresence> nodes;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        NodePresence& node = nodes.emplace_back();
        node.cluster_id = std::string(cluster_id);
        node.node_id = row.Text(0);
        node.source_type = static_cast<v1::SourceType>(row.Int64(1));
        node.last_heartbeat_at = FromMicros(row.Int64(2));
        node.heartbeats = row.Int64(3);
        node.agent_instance_id = row.Text(4);
        return absl::OkStatus();
      },
      "SELECT node_id, source_type, last_heartbeat_at_us, heartbeats, "
      "agent_instance_id FROM presence WHERE cluster_row = "
      "(SELECT id FROM cluster WHERE cluster_id = ?) ORDER BY id",
      cluster_id);
  if (!done.ok()) return done;
  return nodes;
}

absl::Status Session::AddPresence(const NodePresence& presence) {
  absl::StatusOr<int64_t> cluster = ClusterRow(presence.cluster_id);
  if (!cluster.ok()) return cluster.status();
  const int64_t at = Micros(presence.last_heartbeat_at);
  return Atomically([&] {
    absl::Status done =
        Run("INSERT INTO presence (cluster_row, node_id, source_type, "
            "last_heartbeat_at_us, heartbeats, agent_instance_id) "
            "VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (cluster_row, node_id, source_type) DO UPDATE SET "
            "agent_instance_id = iif(excluded.last_heartbeat_at_us >= "
            "last_heartbeat_at_us, excluded.agent_instance_id, "
            "agent_instance_id), "
            "last_heartbeat_at_us = "
            "max(last_heartbeat_at_us, excluded.last_heartbeat_at_us), "
            "heartbeats = heartbeats + excluded.heartbeats",
            *cluster, presence.node_id, int{presence.source_type}, at,
            presence.heartbeats, presence.agent_instance_id);
    if (!done.ok()) return done;
    return Run(
        "UPDATE cluster SET last_heartbeat_at_us = ?2 WHERE id = ?1 AND "
        "(last_heartbeat_at_us IS NULL OR last_heartbeat_at_us < ?2)",
        *cluster, at);
  });
}

}  // namespace mc::service

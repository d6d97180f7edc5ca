// Issued identities, and clones.
#include "mc-service/store/sqlite/session.h"

namespace mc::service {

using sqlite::Blob;
using sqlite::Statement;

absl::StatusOr<std::vector<IssuedIdentity>> Session::ListIssuedIdentities(
    std::string_view cluster_id) {
  std::vector<IssuedIdentity> identities;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        IssuedIdentity& identity = identities.emplace_back();
        identity.tls_key_digest = row.BlobBytes(0);
        identity.password_digest = row.BlobBytes(1);
        identity.predecessor_key_digest = row.BlobBytes(2);
        identity.certificate_serial = row.Text(3);
        identity.certificate_not_after = FromMicros(row.Int64(4));
        identity.issued_at = FromMicros(row.Int64(5));
        identity.registered_at = FromMicros(row.Int64(6));
        identity.agent_instance_id = row.Text(7);
        identity.state = static_cast<IdentityState>(row.Int64(8));
        return absl::OkStatus();
      },
      "SELECT tls_key_digest, password_digest, predecessor_key_digest, "
      "certificate_serial, certificate_not_after_us, issued_at_us, "
      "registered_at_us, agent_instance_id, state FROM issued_identity "
      "WHERE cluster_row = (SELECT id FROM cluster WHERE cluster_id = ?) "
      "ORDER BY id",
      cluster_id);
  if (!done.ok()) return done;
  return identities;
}

absl::Status Session::PutIssuedIdentities(
    std::string_view cluster_id,
    const std::vector<IssuedIdentity>& identities) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Atomically([&] {
    absl::Status done =
        Run("DELETE FROM issued_identity WHERE cluster_row = ?", *cluster);
    for (const IssuedIdentity& identity : identities) {
      if (!done.ok()) return done;
      done = Run(
          "INSERT INTO issued_identity (cluster_row, tls_key_digest, "
          "password_digest, predecessor_key_digest, certificate_serial, "
          "certificate_not_after_us, issued_at_us, registered_at_us, "
          "agent_instance_id, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          *cluster, Blob{identity.tls_key_digest},
          Blob{identity.password_digest}, Blob{identity.predecessor_key_digest},
          identity.certificate_serial, Micros(identity.certificate_not_after),
          Micros(identity.issued_at), Micros(identity.registered_at),
          identity.agent_instance_id, static_cast<int>(identity.state));
    }
    return done;
  });
}

absl::Status Session::SetCloneSuspected(
    std::string_view cluster_id, absl::Time at,
    const std::vector<std::string>& agent_instance_ids) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Atomically([&] {
    absl::Status done =
        Run("UPDATE cluster SET clone_suspected_at_us = ?2 WHERE id = ?1 AND "
            "(clone_suspected_at_us IS NULL OR clone_suspected_at_us < ?2)",
            *cluster, Micros(at));
    for (const std::string& instance : agent_instance_ids) {
      if (!done.ok()) return done;
      done =
          Run("INSERT OR REPLACE INTO clone_instance (cluster_row, "
              "agent_instance_id) VALUES (?, ?)",
              *cluster, instance);
    }
    if (!done.ok()) return done;
    return Run(
        "DELETE FROM clone_instance WHERE cluster_row = ?1 AND id NOT IN "
        "(SELECT id FROM clone_instance WHERE cluster_row = ?1 "
        "ORDER BY id DESC LIMIT ?2)",
        *cluster, static_cast<int64_t>(kMaxCloneInstances));
  });
}

absl::Status Session::EndCloneSuspicion(std::string_view cluster_id) {
  absl::StatusOr<int64_t> cluster = ClusterRow(cluster_id);
  if (!cluster.ok()) return cluster.status();
  return Atomically([&] {
    absl::Status done =
        Run("UPDATE cluster SET clone_suspected_at_us = NULL WHERE id = ?",
            *cluster);
    if (!done.ok()) return done;
    return Run("DELETE FROM clone_instance WHERE cluster_row = ?", *cluster);
  });
}

}  // namespace mc::service

// Retention and erasure.
#include "common/crypto/digest.h"
#include "mc-service/store/sqlite/schema_tree.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Blob;
using sqlite::Statement;

// Of what is pruned: the table, and which of its oldest rows (?2 at most) are
// before ?1. Rows come in the order of their IDs, so that the oldest need not
// be searched for. Reports that the ledger has not entered yet stay.
struct Pruned {
  std::string_view table;
  std::string_view condition;
};

Pruned PrunedBy(Prunable what) {
  switch (what) {
    case Prunable::kConsumptionReports:
      return {"consumption_report",
              "id IN (SELECT id FROM (SELECT id, accepted_at_us FROM "
              "consumption_report ORDER BY id LIMIT ?2) AS oldest "
              "WHERE accepted_at_us < ?1 AND NOT EXISTS (SELECT 1 FROM "
              "ledger_backlog WHERE oldest.id > entered AND "
              "oldest.id <= last))"};
    case Prunable::kEvents:
      return {"cluster_event",
              "id IN (SELECT id FROM (SELECT id, received_at_us FROM "
              "cluster_event ORDER BY id LIMIT ?2) "
              "WHERE received_at_us < ?1)"};
    case Prunable::kEnrollmentTokens:
      return {"enrollment_token",
              "id IN (SELECT id FROM enrollment_token WHERE "
              "expires_at_us < ?1 LIMIT ?2)"};
    case Prunable::kClosedFindings:
      break;
  }
  return {"finding",
          "id IN (SELECT id FROM finding WHERE closed_at_us < ?1 LIMIT ?2)"};
}

}  // namespace

absl::StatusOr<UpkeepState> Session::Upkeep() {
  return One<UpkeepState>(
      [](const Statement& row) {
        UpkeepState state;
        if (!row.IsNull(0)) state.retained_until = FromMicros(row.Int64(0));
        state.scrub_pending = row.Bool(1);
        if (!row.IsNull(2)) state.newest_report_at = FromMicros(row.Int64(2));
        return state;
      },
      "SELECT retained_until_us, scrub_pending, "
      "(SELECT accepted_at_us FROM report ORDER BY id DESC LIMIT 1) "
      "FROM store_info");
}

absl::StatusOr<bool> Session::IsErased(std::string_view cluster_id) {
  const std::string digest = Sha256(cluster_id);
  const absl::StatusOr<int64_t> found =
      Number("SELECT count(*) FROM erased_cluster WHERE cluster_id_sha256 = ?",
             Blob{digest});
  if (!found.ok()) return found.status();
  return *found > 0;
}

absl::Status Session::SetRetainedUntil(absl::Time time) {
  return Run("UPDATE store_info SET retained_until_us = ?", Micros(time));
}

absl::StatusOr<int64_t> Session::Prune(Prunable what, absl::Time before,
                                       int max_rows) {
  const Pruned pruned = PrunedBy(what);
  const absl::StatusOr<SchemaTree> tree =
      SchemaTree::Below(database_, pruned.table, pruned.condition);
  if (!tree.ok()) return tree.status();
  for (const SchemaTree::Table& table : tree->tables()) {
    absl::Status deleted = Run(std::string("DELETE FROM ")
                                   .append(table.name)
                                   .append(" WHERE ")
                                   .append(table.condition),
                               Micros(before), max_rows);
    if (!deleted.ok()) return deleted;
  }
  // The root is the last one.
  return database_.changes();
}

absl::Status Session::BeginErasure(std::string_view account_id) {
  const absl::StatusOr<int64_t> account = AccountRow(account_id);
  if (!account.ok()) return account.status();
  std::vector<std::string> clusters;
  absl::Status done = ForEach(
      [&](const Statement& row) {
        clusters.push_back(row.Text(0));
        return absl::OkStatus();
      },
      "SELECT cluster_id FROM cluster JOIN license ON "
      "license.id = license_row WHERE account_row = ?",
      *account);
  for (const std::string& cluster : clusters) {
    if (!done.ok()) return done;
    const std::string digest = Sha256(cluster);
    done = Run("INSERT INTO erased_cluster VALUES (?) ON CONFLICT DO NOTHING",
               Blob{digest});
  }
  if (!done.ok()) return done;
  return Run(
      "UPDATE cluster SET registration = ?2 WHERE license_row IN "
      "(SELECT id FROM license WHERE account_row = ?1)",
      *account, int{v1::REGISTRATION_STATUS_REVOKED});
}

absl::StatusOr<bool> Session::EraseSome(std::string_view account_id,
                                        int max_rows, ErasedRows& erased) {
  const absl::StatusOr<SchemaTree> tree =
      SchemaTree::Below(database_, "account", "account_id = ?1");
  if (!tree.ok()) return tree.status();
  int64_t left = max_rows;
  for (const SchemaTree::Table& table : tree->tables()) {
    absl::Status deleted = Run(std::string("DELETE FROM ")
                                   .append(table.name)
                                   .append(" WHERE (")
                                   .append(table.key)
                                   .append(") IN (SELECT ")
                                   .append(table.key)
                                   .append(" FROM ")
                                   .append(table.name)
                                   .append(" WHERE ")
                                   .append(table.condition)
                                   .append(" LIMIT ?2)"),
                               account_id, left);
    if (!deleted.ok()) return deleted;
    const int64_t rows = database_.changes();
    if (table.name == "license") erased.licenses += rows;
    if (table.name == "cluster") erased.clusters += rows;
    if (table.name == "report") erased.reports += rows;
    if (table.name == "ledger_entry") erased.ledger_entries += rows;
    left -= rows;
    // Whether there are more of it is for the next time.
    if (left <= 0) return false;
  }
  absl::Status noted = Run("UPDATE store_info SET scrub_pending = 1");
  if (!noted.ok()) return noted;
  return true;
}

}  // namespace mc::service

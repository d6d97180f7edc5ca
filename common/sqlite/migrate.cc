#include "common/sqlite/migrate.h"

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"

namespace mc::sqlite {
namespace {

constexpr char kCreate[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " version INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " sha256 BLOB NOT NULL,"
    " applied_at INTEGER NOT NULL"
    ") STRICT";

// Digest by version.
absl::StatusOr<std::map<int64_t, std::string>> Applied(Database& database) {
  absl::StatusOr<Statement> rows =
      database.Prepare("SELECT version, sha256 FROM schema_migration");
  if (!rows.ok()) return rows.status();
  std::map<int64_t, std::string> applied;
  absl::StatusOr<bool> row = rows->Step();
  for (; row.ok() && *row; row = rows->Step()) {
    applied[rows->Int64(0)] = rows->BlobBytes(1);
  }
  if (!row.ok()) return row.status();
  return applied;
}

absl::Status CheckOrder(std::span<const Migration> migrations) {
  int last = 0;
  for (const Migration& migration : migrations) {
    if (migration.version <= last) {
      return absl::InternalError(
          absl::StrCat("migration ", migration.version,
                       " is not in ascending order after ", last));
    }
    last = migration.version;
  }
  return absl::OkStatus();
}

// A program may bring more than was applied, but the applied ones must be the
// program's first ones, unchanged.
absl::Status CheckApplied(const Database& database,
                          std::span<const Migration> migrations,
                          const std::map<int64_t, std::string>& applied) {
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  if (!applied.empty() && applied.rbegin()->first > newest) {
    return absl::FailedPreconditionError(absl::StrCat(
        "database ", database.path(), " has schema version ",
        applied.rbegin()->first, ", this program knows versions up to ", newest,
        "; run the newer program, or restore a backup of before"));
  }
  size_t known = 0;
  bool gap = false;
  for (const Migration& migration : migrations) {
    const auto found = applied.find(migration.version);
    if (found == applied.end()) {
      gap = true;
      continue;
    }
    ++known;
    if (gap || found->second != Sha256(migration.sql)) {
      return absl::FailedPreconditionError(
          absl::StrCat("database ", database.path(), ": migration ",
                       migration.version, " (", migration.name,
                       ") is not the one that was applied; run the "
                       "program that made this database"));
    }
  }
  if (known != applied.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "database ", database.path(),
        " has migrations that this program does not know; run the program "
        "that made it"));
  }
  return absl::OkStatus();
}

absl::Status Apply(Database& database, std::span<const Migration> migrations,
                   const Migration& migration,
                   const MigrationFailpoint& failpoint) {
  const auto reach = [&](MigrationStage stage) {
    if (failpoint) failpoint(migration.version, stage);
  };
  absl::Status result = database.InTransaction([&]() -> absl::Status {
    // Another process may have come first since the list was read.
    absl::StatusOr<std::map<int64_t, std::string>> applied = Applied(database);
    if (!applied.ok()) return applied.status();
    absl::Status checked = CheckApplied(database, migrations, *applied);
    if (!checked.ok()) return checked;
    if (applied->contains(migration.version)) return absl::OkStatus();
    reach(MigrationStage::kBegun);
    absl::Status executed = database.Exec(migration.sql);
    if (!executed.ok()) return executed;
    if (!database.in_transaction()) {
      return absl::InternalError("it ended its own transaction");
    }
    reach(MigrationStage::kExecuted);
    absl::StatusOr<Statement> insert = database.Prepare(
        "INSERT INTO schema_migration (version, name, sha256, applied_at) "
        "VALUES (?, ?, ?, unixepoch())");
    if (!insert.ok()) return insert.status();
    const std::string digest = Sha256(migration.sql);
    absl::Status recorded =
        insert->BindAll(migration.version, migration.name, Blob{digest}).Run();
    if (recorded.ok()) reach(MigrationStage::kRecorded);
    return recorded;
  });
  if (!result.ok()) {
    return absl::Status(result.code(),
                        absl::StrCat("migration ", migration.version, " (",
                                     migration.name, "): ", result.message()));
  }
  reach(MigrationStage::kCommitted);
  return absl::OkStatus();
}

}  // namespace

absl::Status Migrate(Database& database, std::span<const Migration> migrations,
                     const MigrationFailpoint& failpoint) {
  absl::Status result = CheckOrder(migrations);
  if (result.ok()) result = database.Exec(kCreate);
  if (!result.ok()) return result;
  absl::StatusOr<std::map<int64_t, std::string>> applied = Applied(database);
  if (!applied.ok()) return applied.status();
  result = CheckApplied(database, migrations, *applied);
  for (const Migration& migration : migrations) {
    if (!result.ok()) return result;
    if (applied->contains(migration.version)) continue;
    result = Apply(database, migrations, migration, failpoint);
  }
  return result;
}

}  // namespace mc::sqlite

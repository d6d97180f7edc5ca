// Schema migrations: numbered SQL texts, forward only.
#ifndef COMMON_SQLITE_MIGRATE_H_
#define COMMON_SQLITE_MIGRATE_H_

#include <functional>
#include <span>

#include "absl/status/status.h"
#include "common/sqlite/database.h"

namespace mc::sqlite {

struct Migration {
  // From 1, ascending.
  int version;
  const char* name;
  // May hold several statements, but no BEGIN or COMMIT: it runs inside a
  // transaction.
  const char* sql;
};

// Where a migration stands, for tests that end the process there.
enum class MigrationStage { kBegun, kExecuted, kRecorded, kCommitted };
using MigrationFailpoint = std::function<void(int version, MigrationStage)>;

// Applies what is missing, each migration in one transaction together with its
// row in the table schema_migration (version, name, sha256, applied_at); a
// process that dies on the way goes on at the next start. applied_at is in
// seconds since 1970 by the database's own clock, for people only.
//
// FAILED_PRECONDITION, with nothing changed: the database is newer than the
// program, or a migration is not the one that was applied.
absl::Status Migrate(Database& database, std::span<const Migration> migrations,
                     const MigrationFailpoint& failpoint = nullptr);

}  // namespace mc::sqlite

#endif  // COMMON_SQLITE_MIGRATE_H_

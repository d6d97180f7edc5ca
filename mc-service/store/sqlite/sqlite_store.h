// The embedded backend: one SQLite file.
#ifndef MC_SERVICE_STORE_SQLITE_SQLITE_STORE_H_
#define MC_SERVICE_STORE_SQLITE_SQLITE_STORE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/sqlite/group_commit.h"
#include "common/time/clock.h"
#include "mc-service/store/store.h"

namespace mc::service {

struct SqliteOptions {
  std::string path;
  // Makes the store (mode 0600) where there is none; else that is NOT_FOUND.
  bool create = false;
  // Times the commits; must outlive the store.
  const Clock* clock = nullptr;
  // Works that may wait for the writer, and works of one commit.
  size_t max_queue = 8192;
  size_t max_batch = 512;
  // Reads at the same time; more wait.
  size_t readers = 4;
  // Told about each commit, on the writer's thread.
  std::function<void(const sqlite::BatchStats&)> observer = nullptr;
};

// Opens the store and brings its schema up to date. The file `path`.lock keeps
// other processes out: FAILED_PRECONDITION, as for a store of a newer program.
// DATA_LOSS: the file is damaged or no database.
//
// Writes go through one thread with group commit; reads run on the thread of
// their caller, each on a connection and a snapshot of its own. A Read within a
// Read can wait for a connection forever.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options);

// The schema version that OpenSqliteStore brings a store to.
int NewestStoreVersion();

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_SQLITE_SQLITE_STORE_H_

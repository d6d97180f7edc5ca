// One connection to a SQLite database file.
#ifndef COMMON_SQLITE_DATABASE_H_
#define COMMON_SQLITE_DATABASE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/statement.h"

namespace mc::sqlite {

// The status of a SQLite result code (extended or not):
//   RESOURCE_EXHAUSTED   the disk or the database is full, no memory
//   UNAVAILABLE          locked by another, or an I/O error
//   DATA_LOSS            the file is damaged, or is no database
//   ALREADY_EXISTS       a unique or primary key exists already
//   INVALID_ARGUMENT     another constraint refuses the row; too big
//   FAILED_PRECONDITION  read-only, or no permission
//   NOT_FOUND            the file cannot be opened
//   CANCELLED            interrupted
//   INTERNAL             everything else: a fault of the program
absl::Status StatusFromCode(int code, std::string_view message);

// The connection's last error, with the path, the statement and what to do.
absl::Status LastError(sqlite3* handle, std::string_view sql);

// Not thread-safe: one thread at a time, for instance GroupCommitter's. Several
// connections to one file are fine; WAL lets readers go on beside the writer.
//
// What is written is on the disk when its transaction has been committed
// (journal_mode=WAL, synchronous=FULL). Foreign keys are enforced.
//
// A commit, or a checkpoint after one, that the disk fails is not tried again:
// a system that once failed to write a page may say that it is written the next
// time, and forget it. From then on transactions are refused, and the log stays
// as it is: the next program that opens the database reads it anew.
class Database {
 public:
  struct Options {
    bool read_only = false;
    // Creates the file (mode 0600) where there is none.
    bool create = true;
    // How long a lock held by another connection is waited for.
    absl::Duration busy_timeout = absl::Seconds(5);
  };

  // `path` may be ":memory:". Fails with a message that names the path.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        const Options& options);
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const std::string& path) {
    return Open(path, Options());
  }

  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One or several statements, without parameters and results.
  absl::Status Exec(std::string_view sql);

  // One statement without parameters and results, kept as Prepare keeps it.
  absl::Status Run(std::string_view sql);

  // Compiled once per text and kept; so the text must come from the program,
  // with values bound, never from outside. A text whose statement is still in
  // use is compiled once more.
  absl::StatusOr<Statement> Prepare(std::string_view sql);

  // Runs `work` in BEGIN IMMEDIATE and COMMIT; an error of it, or of the
  // commit, rolls back and is returned. Not to be nested.
  absl::Status InTransaction(absl::FunctionRef<absl::Status()> work);

  // Why transactions are refused since the disk failed one; OK: they are not.
  const absl::Status& failure() const { return failure_; }

  bool in_transaction() const;
  // Rows that the last INSERT, UPDATE or DELETE changed.
  int64_t changes() const;
  int64_t last_insert_rowid() const;
  const std::string& path() const { return path_; }

 private:
  struct Cached {
    sqlite3_stmt* statement = nullptr;
    bool in_use = false;
  };

  Database(sqlite3* handle, std::string path)
      : handle_(handle), path_(std::move(path)) {}

  absl::Status Configure(const Options& options);
  // SQLite's sqlite3_wal_hook: called after each commit.
  static int Committed(void* self, sqlite3* handle, const char* schema,
                       int log_pages);
  void NoteFailure(int code);

  sqlite3* const handle_;
  const std::string path_;
  absl::Status failure_;
  // Nodes stay where they are: statements point at their marks.
  std::map<std::string, Cached, std::less<>> cache_;
};

}  // namespace mc::sqlite

#endif  // COMMON_SQLITE_DATABASE_H_

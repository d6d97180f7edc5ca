#include "mc-service/store/sqlite/sqlite_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/sqlite/database.h"
#include "common/sqlite/migrate.h"
#include "mc-service/store/sqlite/migrations.h"
#include "mc-service/store/sqlite/session.h"

namespace mc::service {
namespace {

using sqlite::Database;
using sqlite::GroupCommitter;

// Held as long as the object lives; the system frees it with the process.
class FileLock {
 public:
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(
      const std::string& path) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "cannot open ", path, ": ", strerror(errno),
          "; check who owns it and its folder, and their permissions"));
    }
    auto lock = std::unique_ptr<FileLock>(new FileLock(file));
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "another process has the store open (it holds ", path,
          "); stop it first, or give this one a store of its own"));
    }
    return lock;
  }

  ~FileLock() { close(file_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int file) : file_(file) {}

  const int file_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<FileLock> lock, std::unique_ptr<Database> writer,
              std::vector<std::unique_ptr<Database>> readers,
              GroupCommitter::Options options)
      : lock_(std::move(lock)),
        committer_(std::move(writer), std::move(options)),
        idle_(std::move(readers)) {}

  absl::Status Read(ReadWork work) override {
    std::unique_ptr<Database> reader = Borrow();
    absl::Status done = reader->Exec("BEGIN DEFERRED");
    if (done.ok()) {
      Session session(*reader, tables_);
      done = work(session);
      // It wrote nothing, so there is nothing to keep.
      if (reader->in_transaction()) reader->Exec("ROLLBACK").IgnoreError();
    }
    Return(std::move(reader));
    return done;
  }

  bool Write(WriteWork work, WriteDone done) override {
    return committer_.Submit(
        [this, work = std::move(work)](Database& writer) {
          Session session(writer, tables_);
          return work(session);
        },
        std::move(done));
  }

  absl::Status Scrub() override {
    return committer_.RunOutsideTransactions([](Database& writer) {
      // The copy is too large for the memory. What is left between rows that
      // were moved goes with it; SQLite overwrites the rest as it deletes.
      absl::Status status =
          writer.Exec("PRAGMA secure_delete = ON; PRAGMA temp_store = FILE");
      if (status.ok()) status = writer.Exec("VACUUM");
      writer.Exec("PRAGMA temp_store = MEMORY").IgnoreError();
      if (status.ok()) status = EmptyLog(writer);
      if (!status.ok()) return status;
      return writer.Exec("UPDATE store_info SET scrub_pending = 0");
    });
  }

  void Stop() override { committer_.Stop(); }

 private:
  static absl::Status EmptyLog(Database& writer) {
    absl::StatusOr<sqlite::Statement> checkpoint =
        writer.Prepare("PRAGMA wal_checkpoint(TRUNCATE)");
    if (!checkpoint.ok()) return checkpoint.status();
    const absl::StatusOr<bool> row = checkpoint->Step();
    if (!row.ok()) return row.status();
    if (checkpoint->Int64(0) == 0) return absl::OkStatus();
    return absl::UnavailableError(
        "somebody reads the store's log; it could not be emptied yet");
  }

  std::unique_ptr<Database> Borrow() {
    absl::MutexLock lock(&mutex_);
    const auto any = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return !idle_.empty();
    };
    mutex_.Await(absl::Condition(&any));
    std::unique_ptr<Database> reader = std::move(idle_.back());
    idle_.pop_back();
    return reader;
  }

  void Return(std::unique_ptr<Database> reader) {
    absl::MutexLock lock(&mutex_);
    idle_.push_back(std::move(reader));
  }

  // The order matters: the readers go first, then the writer, which as the last
  // one writes its log back into the file, then the lock.
  const std::unique_ptr<FileLock> lock_;
  const Tables tables_;
  GroupCommitter committer_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Database>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

int NewestStoreVersion() { return std::rbegin(kMigrations)->version; }

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options) {
  absl::StatusOr<std::unique_ptr<Database>> writer =
      Database::Open(options.path, {.create = options.create});
  if (!writer.ok()) return writer.status();
  absl::StatusOr<std::unique_ptr<FileLock>> lock =
      FileLock::Take(options.path + ".lock");
  if (!lock.ok()) return lock.status();
  absl::Status migrated = sqlite::Migrate(**writer, kMigrations);
  if (!migrated.ok()) return migrated;
  std::vector<std::unique_ptr<Database>> readers;
  while (readers.size() < std::max<size_t>(1, options.readers)) {
    absl::StatusOr<std::unique_ptr<Database>> reader =
        Database::Open(options.path, {.read_only = true});
    if (!reader.ok()) return reader.status();
    readers.push_back(*std::move(reader));
  }
  GroupCommitter::Options commits;
  commits.name = "service";
  commits.max_batch = options.max_batch;
  commits.max_queue = options.max_queue;
  commits.observer = std::move(options.observer);
  if (options.clock != nullptr) {
    commits.now = [clock = options.clock] { return clock->Now(); };
  }
  return std::make_unique<SqliteStore>(*std::move(lock), *std::move(writer),
                                       std::move(readers), std::move(commits));
}

}  // namespace mc::service

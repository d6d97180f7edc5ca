#include "common/sqlite/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace mc::sqlite {
namespace {

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

// SQLite gives the -wal and -shm files the mode of the database file, so it
// is enough to create that one.
absl::Status CreatePrivately(const std::string& path) {
  const int file =
      open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file >= 0) {
    close(file);
    return absl::OkStatus();
  }
  if (errno == EEXIST) return absl::OkStatus();
  const int error = errno;
  const std::string message = absl::StrCat(
      "cannot create database ", path, ": ", strerror(error),
      "; check that its folder exists and that this user may write to it");
  return error == ENOENT ? absl::NotFoundError(message)
                         : absl::FailedPreconditionError(message);
}

// From so many pages on the log is written back; SQLite's own default.
constexpr int kCheckpointPages = 1000;

// Whether the disk failed at writing, as against being full or locked.
bool FailedToWrite(int code) {
  return code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC ||
         code == SQLITE_IOERR_DIR_FSYNC || code == SQLITE_IOERR_TRUNCATE;
}

}  // namespace

absl::Status StatusFromCode(int code, std::string_view message) {
  const absl::string_view text = View(message);
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return absl::OkStatus();
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::ResourceExhaustedError(text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL:
      return absl::UnavailableError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE ||
          code == SQLITE_CONSTRAINT_PRIMARYKEY ||
          code == SQLITE_CONSTRAINT_ROWID) {
        return absl::AlreadyExistsError(text);
      }
      return absl::InvalidArgumentError(text);
    case SQLITE_TOOBIG:
      return absl::InvalidArgumentError(text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::FailedPreconditionError(text);
    case SQLITE_CANTOPEN:
      return absl::NotFoundError(text);
    case SQLITE_INTERRUPT:
      return absl::CancelledError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::Status LastError(sqlite3* handle, std::string_view sql) {
  const int code = sqlite3_extended_errcode(handle);
  const char* path = sqlite3_db_filename(handle, "main");
  std::string message = absl::StrCat(
      "database ", path == nullptr || *path == 0 ? ":memory:" : path, ": ",
      sqlite3_errmsg(handle), " in: ", View(sql.substr(0, 200)));
  switch (code & 0xff) {
    case SQLITE_FULL:
      absl::StrAppend(&message, "; free space on its disk");
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      absl::StrAppend(&message, "; restore it from a backup");
      break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      absl::StrAppend(&message,
                      "; check who owns the file and its folder, and their "
                      "permissions");
      break;
    default:
      break;
  }
  return StatusFromCode(code, message);
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path, const Options& options) {
  const bool in_memory = path == ":memory:";
  if (!in_memory) {
    if (options.create && !options.read_only) {
      if (absl::Status created = CreatePrivately(path); !created.ok()) {
        return created;
      }
    } else if (access(path.c_str(), F_OK) != 0) {
      return absl::NotFoundError(
          absl::StrCat("database ", path, " cannot be found: ", strerror(errno),
                       "; create it first, or correct the path"));
    }
    if (access(path.c_str(), options.read_only ? R_OK : R_OK | W_OK) != 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "database ", path, " cannot be opened: ", strerror(errno),
          "; run as the user that owns it"));
    }
  }
  sqlite3* handle = nullptr;
  const int flags =
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) {
    return absl::ResourceExhaustedError("no memory to open a database");
  }
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return LastError(handle, "open");
  if (absl::Status configured = database->Configure(options);
      !configured.ok()) {
    return configured;
  }
  return database;
}

absl::Status Database::Configure(const Options& options) {
  sqlite3_busy_timeout(
      handle_, static_cast<int>(options.busy_timeout / absl::Milliseconds(1)));
  // What a file says in its own schema may not call functions with effects.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // No temporary files: the root may be read-only.
  absl::Status configured =
      Exec("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;");
  // Reading the schema shows whether the file is a database at all.
  if (configured.ok()) {
    configured = Exec("SELECT count(*) FROM sqlite_schema;");
  }
  if (!configured.ok() || options.read_only) return configured;
  {
    absl::StatusOr<Statement> journal = Prepare("PRAGMA journal_mode = WAL");
    if (!journal.ok()) return journal.status();
    absl::StatusOr<bool> row = journal->Step();
    if (!row.ok()) return row.status();
    const std::string mode = journal->Text(0);
    if (mode != "wal" && mode != "memory") {
      return absl::FailedPreconditionError(absl::StrCat(
          "database ", path_, " cannot use a write-ahead log (journal mode ",
          mode, "); put it on a local file system"));
    }
  }
  absl::Status synchronous = Exec("PRAGMA synchronous = FULL;");
  if (!synchronous.ok()) return synchronous;
  // Instead of SQLite's automatic checkpoints, whose errors nobody sees.
  sqlite3_wal_hook(handle_, &Database::Committed, this);
  // What the log still holds may never have reached the disk, where a program
  // before this one failed at it: it is written once more.
  const int code = sqlite3_wal_checkpoint_v2(
      handle_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return FailedToWrite(code) ? LastError(handle_, "checkpoint")
                             : absl::OkStatus();
}

int Database::Committed(void* self, sqlite3* handle, const char* schema,
                        int log_pages) {
  if (log_pages < kCheckpointPages) return SQLITE_OK;
  const int code = sqlite3_wal_checkpoint_v2(
      handle, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // The commit itself stands, whatever became of the checkpoint.
  static_cast<Database*>(self)->NoteFailure(code);
  return SQLITE_OK;
}

void Database::NoteFailure(int code) {
  if (!FailedToWrite(code) || !failure_.ok()) return;
  failure_ = absl::UnavailableError(absl::StrCat(
      "database ", path_, ": the disk failed to write (", sqlite3_errstr(code),
      ", code ", code,
      "); nothing more is written to it: check the disk, then restart this "
      "program"));
  // Closing must not write the log back and delete it.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Database::~Database() {
  for (auto& [sql, cached] : cache_) sqlite3_finalize(cached.statement);
  sqlite3_close_v2(handle_);
}

absl::Status Database::Exec(std::string_view sql) {
  const std::string text(sql);
  if (sqlite3_exec(handle_, text.c_str(), nullptr, nullptr, nullptr) !=
      SQLITE_OK) {
    return LastError(handle_, sql);
  }
  return absl::OkStatus();
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  auto entry = cache_.find(sql);
  if (entry != cache_.end() && !entry->second.in_use) {
    entry->second.in_use = true;
    return Statement(handle_, entry->second.statement, &entry->second.in_use);
  }
  sqlite3_stmt* compiled = nullptr;
  const char* rest = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &compiled,
                         &rest) != SQLITE_OK) {
    return LastError(handle_, sql);
  }
  if (compiled == nullptr) {
    return absl::InternalError(
        absl::StrCat("this is no SQL statement: ", View(sql)));
  }
  if (entry != cache_.end()) return Statement(handle_, compiled, nullptr);
  Cached& cached =
      cache_.emplace(std::string(sql), Cached{compiled, true}).first->second;
  return Statement(handle_, compiled, &cached.in_use);
}

absl::Status Database::Run(std::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  return statement.ok() ? statement->Run() : statement.status();
}

absl::Status Database::InTransaction(absl::FunctionRef<absl::Status()> work) {
  if (!failure_.ok()) return failure_;
  absl::Status result = Exec("BEGIN IMMEDIATE");
  if (!result.ok()) return result;
  result = work();
  if (result.ok() && !in_transaction()) {
    return absl::InternalError("the work ended its own transaction");
  }
  if (result.ok()) {
    result = Exec("COMMIT");
    if (!result.ok()) NoteFailure(sqlite3_extended_errcode(handle_));
  }
  // Some errors have rolled back already; the first one is what counts.
  if (!result.ok() && in_transaction()) Exec("ROLLBACK").IgnoreError();
  return result;
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

int64_t Database::changes() const { return sqlite3_changes64(handle_); }

int64_t Database::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(handle_);
}

}  // namespace mc::sqlite

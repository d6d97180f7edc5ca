#include "cluster-agent/outbox/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

using sqlite::Database;

int64_t FileSize(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

absl::Status Damaged(const std::string& path, absl::string_view why) {
  return absl::DataLossError(absl::StrCat(
      "the usage database ", path, " cannot be read: ", why,
      "\nIt holds usage that the service has not confirmed. Restore it from a "
      "backup together with its -wal file; or, to start without it, move it "
      "away and keep it: what only it holds will not be reported"));
}

std::string LockPath(const std::string& path) {
  return absl::StrCat(path, ".lock");
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutboxLock>> OutboxLock::Take(
    const std::string& path) {
  const std::string lock_path = LockPath(path);
  const int file = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot create ", lock_path, ": ", strerror(errno),
                     "; check that its folder exists and that this user may "
                     "write to it"));
  }
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(file);
    return absl::FailedPreconditionError(
        error == EWOULDBLOCK
            ? absl::StrCat(path,
                           " is in use by another cluster-agent; stop "
                           "that one first")
            : absl::StrCat("cannot lock ", lock_path, ": ", strerror(error),
                           "; put the state directory on a local disk"));
  }
  return std::unique_ptr<OutboxLock>(new OutboxLock(file));
}

OutboxLock::~OutboxLock() { close(file_); }

void OutboxLock::NoteFilled() const {
  if (pwrite(file_, "1", 1, 0) == 1) fsync(file_);
}

absl::StatusOr<std::unique_ptr<Database>> OpenOutboxDatabase(
    const std::string& path, bool read_only) {
  const std::string wal = absl::StrCat(path, "-wal");
  if (FileSize(path) == 0 && FileSize(wal) > 0) {
    // SQLite would take the file for a new one and delete the log.
    return Damaged(path, absl::StrCat("it is missing or empty, but its log ",
                                      wal, " is there"));
  }
  if (FileExists(path) && FileSize(path) == 0 && FileSize(LockPath(path)) > 0) {
    return Damaged(path, "it is empty, and was not");
  }
  Database::Options options;
  options.read_only = read_only;
  absl::StatusOr<std::unique_ptr<Database>> database =
      Database::Open(path, options);
  if (absl::IsDataLoss(database.status())) {
    return Damaged(path, database.status().message());
  }
  return database;
}

}  // namespace mc::agent

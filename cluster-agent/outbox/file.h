// The file of the outbox: opening it, and keeping others out.
#ifndef MC_CLUSTER_AGENT_OUTBOX_FILE_H_
#define MC_CLUSTER_AGENT_OUTBOX_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/sqlite/database.h"

namespace mc::agent {

// Held by the one process that may write; freed by the kernel when the process
// ends, however it ends.
class OutboxLock {
 public:
  // `path` is that of the database; the lock is a file beside it. (A lock on
  // the database file itself would disturb SQLite's own.) FAILED_PRECONDITION
  // when another holds it.
  static absl::StatusOr<std::unique_ptr<OutboxLock>> Take(
      const std::string& path);
  ~OutboxLock();
  OutboxLock(const OutboxLock&) = delete;
  OutboxLock& operator=(const OutboxLock&) = delete;

  // To be called when the database has its tables: from then on an empty one is
  // damaged. Where the disk does not take the note, it is called again at the
  // next start.
  void NoteFilled() const;

 private:
  explicit OutboxLock(int file) : file_(file) {}
  const int file_;
};

// Opens or creates. A file that is damaged or incomplete is an error and is
// left as it is: it may be the only copy of what was used.
absl::StatusOr<std::unique_ptr<sqlite::Database>> OpenOutboxDatabase(
    const std::string& path, bool read_only);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_FILE_H_

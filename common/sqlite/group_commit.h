// Group commit: one writer thread, many works in one transaction.
#ifndef COMMON_SQLITE_GROUP_COMMIT_H_
#define COMMON_SQLITE_GROUP_COMMIT_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/sqlite/database.h"

namespace mc::sqlite {

// What one transaction did; told before its callbacks run.
struct BatchStats {
  size_t batch_size = 0;
  // From BEGIN to the end of COMMIT; 0 without Options::now.
  double commit_seconds = 0;
  // Works that wait for the next batch.
  size_t queue_length = 0;
  // OK: it was committed (single works may have failed).
  absl::Status status;
  // The disk failed: this and all later transactions are refused, until the
  // program is restarted.
  bool failed = false;
};

// Owns the database and is its only writer. Thread-safe.
//
// All works that wait are run in one transaction, each in a savepoint of its
// own: a work that fails is rolled back alone. Then the transaction is
// committed, and only then the callbacks run, so that OK means durable. When
// the transaction as a whole fails, nothing of it is kept and every callback of
// it gets the error. When the disk fails a commit, that is logged once, and
// from then on everything gets UNAVAILABLE (see Database).
class GroupCommitter {
 public:
  using Work = std::function<absl::Status(Database&)>;
  using Done = std::function<void(absl::Status)>;

  struct Options {
    size_t max_batch = 512;
    // Works that may wait; more are refused.
    size_t max_queue = 8192;
    // Of its failpoints, NAME.commit.before and NAME.commit.after.
    std::string name = "store";
    // Both run on the writer thread. `now` times the commits.
    std::function<void(const BatchStats&)> observer = nullptr;
    std::function<absl::Time()> now = nullptr;
  };

  GroupCommitter(std::unique_ptr<Database> database, Options options);
  explicit GroupCommitter(std::unique_ptr<Database> database)
      : GroupCommitter(std::move(database), Options()) {}
  // Stops.
  ~GroupCommitter();
  GroupCommitter(const GroupCommitter&) = delete;
  GroupCommitter& operator=(const GroupCommitter&) = delete;

  // `work` and then `done` run on the writer thread; `done` must be short, for
  // everybody waits. `work` must leave the transaction alone and may run only
  // once. False, and neither runs: the queue is full or stopping.
  [[nodiscard]] bool Submit(Work work, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // Submits and waits. UNAVAILABLE where Submit refuses; FAILED_PRECONDITION on
  // the writer thread, which would wait for itself.
  absl::Status Run(Work work) ABSL_LOCKS_EXCLUDED(mutex_);

  // As Run, but with no transaction open: for what cannot be in one, such as
  // VACUUM. It waits until what is queued before it is committed; what is
  // queued after it waits for it.
  absl::Status RunOutsideTransactions(Work work) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes nothing more, finishes what waits, and returns when the writer thread
  // has ended. Not from the writer thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, join_mutex_);

  size_t queue_length() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Item {
    Work work;
    Done done;
    // Not in a transaction, and alone.
    bool outside = false;
  };

  bool Enqueue(Item item) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status EnqueueAndWait(Work work, bool outside)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What goes into the next transaction; one item alone that goes into none.
  std::vector<Item> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write() ABSL_LOCKS_EXCLUDED(mutex_);
  // Fills in what each item returned; returns why the whole was not kept.
  absl::Status Commit(const std::vector<Item>& batch,
                      std::vector<absl::Status>& results);
  absl::Status RunInSavepoint(const Work& work, absl::Status& result);

  const Options options_;
  const std::string before_commit_;
  const std::string after_commit_;
  // Only the writer thread touches it after the constructor.
  const std::unique_ptr<Database> database_;
  mutable absl::Mutex mutex_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::thread writer_ ABSL_GUARDED_BY(join_mutex_);
  // As it was before it was joined.
  std::thread::id writer_id_;
};

}  // namespace mc::sqlite

#endif  // COMMON_SQLITE_GROUP_COMMIT_H_

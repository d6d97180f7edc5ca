#include "common/sqlite/group_commit.h"

#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"

namespace mc::sqlite {

GroupCommitter::GroupCommitter(std::unique_ptr<Database> database,
                               Options options)
    : options_(std::move(options)),
      before_commit_(options_.name + ".commit.before"),
      after_commit_(options_.name + ".commit.after"),
      database_(std::move(database)) {
  writer_ = std::thread([this] { Write(); });
  writer_id_ = writer_.get_id();
}

GroupCommitter::~GroupCommitter() { Stop(); }

bool GroupCommitter::Submit(Work work, Done done) {
  return Enqueue({std::move(work), std::move(done)});
}

absl::Status GroupCommitter::Run(Work work) {
  return EnqueueAndWait(std::move(work), /*outside=*/false);
}

absl::Status GroupCommitter::RunOutsideTransactions(Work work) {
  return EnqueueAndWait(std::move(work), /*outside=*/true);
}

bool GroupCommitter::Enqueue(Item item) {
  absl::MutexLock lock(&mutex_);
  if (stopping_ || queue_.size() >= options_.max_queue) return false;
  queue_.push_back(std::move(item));
  return true;
}

absl::Status GroupCommitter::EnqueueAndWait(Work work, bool outside) {
  if (std::this_thread::get_id() == writer_id_) {
    return absl::FailedPreconditionError(
        "the writer thread cannot wait for itself; use Submit");
  }
  absl::Notification finished;
  absl::Status result;
  if (!Enqueue({std::move(work),
                [&](absl::Status status) {
                  result = std::move(status);
                  finished.Notify();
                },
                outside})) {
    return absl::UnavailableError(
        "the store's queue is full or stopping; try again later");
  }
  finished.WaitForNotification();
  return result;
}

void GroupCommitter::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  absl::MutexLock lock(&join_mutex_);
  if (writer_.joinable()) writer_.join();
}

size_t GroupCommitter::queue_length() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

std::vector<GroupCommitter::Item> GroupCommitter::TakeBatch() {
  std::vector<Item> batch;
  while (!queue_.empty() && batch.size() < options_.max_batch) {
    const bool outside = queue_.front().outside;
    if (outside && !batch.empty()) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (outside) break;
  }
  return batch;
}

void GroupCommitter::Write() {
  const auto now = [this] {
    return options_.now ? options_.now() : absl::Time();
  };
  bool told = false;
  for (;;) {
    std::vector<Item> batch;
    BatchStats stats;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !queue_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) return;
      batch = TakeBatch();
      stats.queue_length = queue_.size();
    }
    if (batch.front().outside) {
      batch.front().done(batch.front().work(*database_));
      continue;
    }
    stats.batch_size = batch.size();
    std::vector<absl::Status> results(batch.size());
    const absl::Time begin = now();
    stats.status = Commit(batch, results);
    stats.commit_seconds = absl::ToDoubleSeconds(now() - begin);
    stats.failed = !database_->failure().ok();
    if (stats.failed && !std::exchange(told, true)) {
      LogError("nothing more is written or confirmed",
               {{"error", std::string(database_->failure().message())}});
    }
    if (stats.status.ok()) MC_FAILPOINT(after_commit_);
    if (options_.observer) options_.observer(stats);
    for (size_t i = 0; i < batch.size(); ++i) {
      batch[i].done(stats.status.ok() ? std::move(results[i]) : stats.status);
    }
  }
}

absl::Status GroupCommitter::Commit(const std::vector<Item>& batch,
                                    std::vector<absl::Status>& results) {
  return database_->InTransaction([&] {
    for (size_t i = 0; i < batch.size(); ++i) {
      absl::Status whole = RunInSavepoint(batch[i].work, results[i]);
      if (!whole.ok()) return whole;
    }
    return MC_FAILPOINT_STATUS(before_commit_);
  });
}

absl::Status GroupCommitter::RunInSavepoint(const Work& work,
                                            absl::Status& result) {
  absl::Status whole = database_->Run("SAVEPOINT work");
  if (!whole.ok()) return whole;
  result = work(*database_);
  // A full disk or an I/O error can make SQLite roll back everything, the works
  // before this one included.
  if (!database_->in_transaction()) {
    return result.ok()
               ? absl::InternalError("a work ended the common transaction")
               : result;
  }
  if (!result.ok()) whole = database_->Run("ROLLBACK TO work");
  if (whole.ok()) whole = database_->Run("RELEASE work");
  return whole;
}

}  // namespace mc::sqlite

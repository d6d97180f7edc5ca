// A pool of threads for work that blocks: gRPC's own are too few to wait.
#ifndef COMMON_EXECUTOR_EXECUTOR_H_
#define COMMON_EXECUTOR_EXECUTOR_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mc {

// Thread-safe.
class Executor {
 public:
  // At most `max_queued` functions wait for a thread.
  Executor(int threads, size_t max_queued);
  // As Shutdown().
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Returns false, and runs nothing, when the queue is full or the pool stops.
  bool TryRun(std::function<void()> run);

  // Takes nothing more, finishes what is queued, and joins the threads. Not
  // to be called from one of them.
  void Shutdown();

  // How many functions wait for a thread.
  size_t queued() const;

 private:
  void Work();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }

  const size_t max_queued_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace mc

#endif  // COMMON_EXECUTOR_EXECUTOR_H_

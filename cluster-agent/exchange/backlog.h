// How far the sending of what has piled up has come.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_BACKLOG_H_
#define MC_CLUSTER_AGENT_EXCHANGE_BACKLOG_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/exchange/status_board.h"
#include "common/time/clock.h"

namespace mc::agent {

// Thread-safe. Shows it on the board, and logs it at intervals.
class Backlog {
 public:
  // Both outlive this.
  Backlog(const Clock* clock, StatusBoard* board)
      : clock_(clock), board_(board) {}

  // A stream begins while so many reports wait. Enough of them are a backlog;
  // one that has begun goes on.
  void Begin(int64_t waiting) ABSL_LOCKS_EXCLUDED(mutex_);
  // A report need not be sent any more.
  void Settled() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock* const clock_;
  StatusBoard* const board_;
  absl::Mutex mutex_;
  int64_t settled_ ABSL_GUARDED_BY(mutex_) = 0;
  // 0: there is no backlog.
  int64_t total_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration next_line_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_BACKLOG_H_

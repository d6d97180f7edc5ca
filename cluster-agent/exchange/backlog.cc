#include "cluster-agent/exchange/backlog.h"

#include "common/log/log.h"

namespace mc::agent {
namespace {

// Fewer reports are everyday life.
constexpr int64_t kLeast = 10;
constexpr absl::Duration kLineInterval = absl::Seconds(10);

}  // namespace

void Backlog::Begin(int64_t waiting) {
  absl::MutexLock lock(&mutex_);
  if (total_ == 0 && waiting < kLeast) return;
  if (total_ == 0) {
    LogInfo("a backlog is sent", {{"reports", waiting}});
    next_line_ = clock_->SinceBoot() + kLineInterval;
  }
  total_ = settled_ + waiting;
  Show();
}

void Backlog::Settled() {
  absl::MutexLock lock(&mutex_);
  if (total_ == 0) return;
  ++settled_;
  Show();
}

void Backlog::Show() {
  if (settled_ >= total_) {
    LogInfo("the backlog is confirmed", {{"reports", settled_}});
    settled_ = 0;
    total_ = 0;
  } else if (clock_->SinceBoot() >= next_line_) {
    LogInfo("backlog", {{"confirmed", settled_}, {"of", total_}});
    next_line_ = clock_->SinceBoot() + kLineInterval;
  }
  board_->SetBacklog(settled_, total_);
}

}  // namespace mc::agent

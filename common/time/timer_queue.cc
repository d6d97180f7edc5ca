#include "common/time/timer_queue.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace mc {
namespace {

// The kernel's monotonic clock stands still during a suspend, boot time does
// not: nobody waits longer than this without looking.
constexpr absl::Duration kLongestWait = absl::Minutes(1);

int MakeEvent() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    std::perror("eventfd");
    std::abort();
  }
  return fd;
}

}  // namespace

TimerQueue::TimerQueue(const Clock* clock)
    : clock_(clock), wake_fd_(MakeEvent()), thread_([this] { Run(); }) {}

TimerQueue::~TimerQueue() {
  Stop();
  close(wake_fd_);
}

TimerQueue::TimerId TimerQueue::ScheduleAfter(absl::Duration delay,
                                              std::function<void()> run) {
  const absl::Duration due = clock_->SinceBoot() + delay;
  absl::MutexLock lock(&mutex_);
  const TimerId id = ++last_id_;
  if (stopped_) return id;
  timers_.emplace(std::make_pair(due, id), std::move(run));
  times_.emplace(id, due);
  Wake();
  return id;
}

TimerQueue::TimerId TimerQueue::Schedule(absl::Time at,
                                         std::function<void()> run) {
  return ScheduleAfter(at - clock_->Now(), std::move(run));
}

bool TimerQueue::Cancel(TimerId id) {
  absl::MutexLock lock(&mutex_);
  const auto found = times_.find(id);
  if (found == times_.end()) return false;
  timers_.erase({found->second, id});
  times_.erase(found);
  return true;
}

void TimerQueue::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    timers_.clear();
    times_.clear();
    Wake();
  }
  if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) {
    thread_.join();
  }
}

void TimerQueue::Wake() {
  // Full or interrupted: the thread is awake already.
  [[maybe_unused]] const int ignored = eventfd_write(wake_fd_, 1);
}

void TimerQueue::WaitUntil(absl::Duration boot_time) {
  const absl::Duration wait = std::min(
      {boot_time - clock_->SinceBoot(), clock_->LongestWait(), kLongestWait});
  // Rounded up: rounded down it would spin through the last millisecond.
  const int64_t milliseconds =
      absl::ToInt64Milliseconds(wait + absl::Microseconds(999));
  pollfd event = {wake_fd_, POLLIN, 0};
  poll(&event, 1, static_cast<int>(std::max<int64_t>(milliseconds, 0)));
  eventfd_t ignored;
  eventfd_read(wake_fd_, &ignored);
}

void TimerQueue::Run() {
  while (true) {
    std::function<void()> run;
    absl::Duration next = absl::InfiniteDuration();
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      const auto first = timers_.begin();
      if (first != timers_.end()) {
        next = first->first.first;
        if (next <= clock_->SinceBoot()) {
          run = std::move(first->second);
          times_.erase(first->first.second);
          timers_.erase(first);
        }
      }
    }
    if (run) {
      run();
    } else {
      WaitUntil(next);
    }
  }
}

}  // namespace mc

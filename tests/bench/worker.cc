#include "tests/bench/worker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace mc::bench {
namespace {

// How soon a worker sees what other threads ask of it.
constexpr absl::Duration kLongestWait = absl::Milliseconds(50);

}  // namespace

void Tally::Count(const char* what, absl::Duration latency) {
  answers[what].Add(latency);
}

void Tally::Fail(const char* what, const grpc::Status& status) {
  ++errors;
  ++error_texts[absl::StrCat(what, ": ", status.error_code(), " ",
                             status.error_message())];
}

void Tally::Merge(const Tally& other) {
  for (const auto& [what, latencies] : other.answers) {
    answers[what].Merge(latencies);
  }
  from_due.Merge(other.from_due);
  errors += other.errors;
  for (const auto& [text, count] : other.error_texts) {
    error_texts[text] += count;
  }
}

Worker::Worker() : now_(clock_.Now()) {
  thread_ = std::thread([this] { Loop(); });
}

Worker::~Worker() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) static_cast<Event*>(tag)->Run(ok);
}

void Worker::At(absl::Time when, std::function<void()> work) {
  timers_.push({when, ++timers_made_, std::move(work)});
}

void Worker::Do(const std::function<void()>& work) {
  absl::Notification done;
  {
    absl::MutexLock lock(&mutex_);
    posted_.push_back([&] {
      work();
      done.Notify();
    });
  }
  done.WaitForNotification();
}

absl::Time Worker::RunTimers() {
  while (!timers_.empty() && timers_.top().when <= now_) {
    const std::function<void()> work = timers_.top().work;
    timers_.pop();
    work();
  }
  const absl::Time latest = now_ + kLongestWait;
  return timers_.empty() ? latest : std::min(latest, timers_.top().when);
}

void Worker::RunPosted() {
  std::vector<std::function<void()>> posted;
  {
    absl::MutexLock lock(&mutex_);
    posted.swap(posted_);
  }
  for (const std::function<void()>& work : posted) work();
}

void Worker::Loop() {
  for (;;) {
    RunPosted();
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    now_ = clock_.Now();
    const absl::Time until = RunTimers();
    void* tag = nullptr;
    bool ok = false;
    const auto next = queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(until));
    now_ = clock_.Now();
    if (next == grpc::CompletionQueue::GOT_EVENT) {
      static_cast<Event*>(tag)->Run(ok);
    }
  }
}

}  // namespace mc::bench

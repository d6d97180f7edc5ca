// One thread with a completion queue and timers: what runs on it needs no lock.
#ifndef TESTS_BENCH_WORKER_H_
#define TESTS_BENCH_WORKER_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "tests/bench/latencies.h"

namespace mc::bench {

// What a queue's tag points to.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Run(bool ok) = 0;
};

// An event that calls a member function.
template <typename T, void (T::*method)(bool)>
class Tag final : public Event {
 public:
  explicit Tag(T* object) : object_(object) {}
  void Run(bool ok) override { (object_->*method)(ok); }

 private:
  T* const object_;
};

// What happened since the last report.
struct Tally {
  // By name of what was sent, with the time from when it was sent (unary
  // calls, beats) or from the call's start (reports) to its answer.
  std::map<std::string, Latencies, std::less<>> answers;
  // Of beats: from when they were due, the client's own delays included.
  Latencies from_due;
  uint64_t errors = 0;
  std::map<std::string, uint64_t> error_texts;

  void Count(const char* what, absl::Duration latency);
  void Fail(const char* what, const grpc::Status& status);
  void Merge(const Tally& other);
};

class Worker {
 public:
  Worker();
  // Everything that runs here must have ended.
  ~Worker();

  grpc::CompletionQueue* queue() { return &queue_; }

  // On the worker's thread only:
  absl::Time now() const { return now_; }
  Tally& tally() { return tally_; }
  // Runs `work` at `when`, or as soon as possible.
  void At(absl::Time when, std::function<void()> work);

  // Runs `work` on the worker's thread and waits for it. From other threads.
  void Do(const std::function<void()>& work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Timer {
    absl::Time when;
    // Timers of one time run in their order.
    uint64_t number;
    std::function<void()> work;
    bool operator<(const Timer& other) const {
      return when > other.when || (when == other.when && number > other.number);
    }
  };

  void Loop();
  absl::Time RunTimers();
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);

  const RealClock clock_{};
  grpc::CompletionQueue queue_;
  absl::Time now_;
  Tally tally_;
  uint64_t timers_made_ = 0;
  std::priority_queue<Timer> timers_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace mc::bench

#endif  // TESTS_BENCH_WORKER_H_

// One exchange that takes place at intervals, and again until it is answered.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_PERIODIC_EXCHANGE_H_
#define MC_CLUSTER_AGENT_EXCHANGE_PERIODIC_EXCHANGE_H_

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/exchange/pacer.h"
#include "cluster-agent/exchange/status_board.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "common/time/timer_queue.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc::agent {

// Thread-safe. One attempt at a time.
class PeriodicExchange {
 public:
  // How an attempt ended. To be called once, on any thread.
  using Done = std::function<void(const absl::Status&,
                                  const missioncontrol::v1::Pacing&)>;

  struct Options {
    Exchange exchange = Exchange::kInstallation;
    const Clock* clock = nullptr;
    TimerQueue* timers = nullptr;
    Executor* executor = nullptr;
    StatusBoard* board = nullptr;
    Pacer::Options pacer;
    UniformDraw draw;
    // Runs on the executor; starts what ends in `done`.
    std::function<void(Done)> attempt;
    // The exchange is only prepared here: its success is told by others.
    bool answered_elsewhere = false;
  };
  explicit PeriodicExchange(Options options);
  // After the timers and the executor have stopped.
  ~PeriodicExchange() = default;

  // The first attempt, or the next one, now; unless one is under way.
  void Now() ABSL_LOCKS_EXCLUDED(mutex_);

  // At a random moment within this time, so that not all agents come at once.
  void Within(absl::Duration time) ABSL_LOCKS_EXCLUDED(mutex_);

  // The service's wish, where it comes with another answer.
  void SetPacing(const missioncontrol::v1::Pacing& pacing)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Due(uint64_t round) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run();
  void Ended(const absl::Status& status,
             const missioncontrol::v1::Pacing& pacing)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ScheduleAfter(absl::Duration pause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  absl::Mutex mutex_;
  Pacer pacer_ ABSL_GUARDED_BY(mutex_);
  missioncontrol::v1::Pacing pacing_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  // A timer of an earlier round does nothing.
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_PERIODIC_EXCHANGE_H_

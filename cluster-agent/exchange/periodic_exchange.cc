#include "cluster-agent/exchange/periodic_exchange.h"

#include <utility>

namespace mc::agent {

namespace v1 = missioncontrol::v1;

PeriodicExchange::PeriodicExchange(Options options)
    : options_(std::move(options)), pacer_(options_.pacer, options_.draw) {}

void PeriodicExchange::Now() {
  absl::MutexLock lock(&mutex_);
  if (running_) return;
  ScheduleAfter(absl::ZeroDuration());
}

void PeriodicExchange::Within(absl::Duration time) {
  absl::MutexLock lock(&mutex_);
  if (running_) return;
  ScheduleAfter(time * options_.draw());
}

void PeriodicExchange::SetPacing(const v1::Pacing& pacing) {
  absl::MutexLock lock(&mutex_);
  pacing_ = pacing;
}

void PeriodicExchange::ScheduleAfter(absl::Duration pause) {
  const uint64_t round = ++round_;
  if (pause == absl::InfiniteDuration()) {
    options_.board->Next(options_.exchange, absl::InfiniteFuture());
    return;
  }
  const absl::Time at = options_.clock->Now() + pause;
  options_.board->Next(options_.exchange, at);
  options_.timers->Schedule(at, [this, round] { Due(round); });
}

void PeriodicExchange::Due(uint64_t round) {
  {
    absl::MutexLock lock(&mutex_);
    if (running_ || round != round_) return;
    running_ = true;
  }
  if (!options_.executor->TryRun([this] { Run(); })) {
    Ended(absl::UnavailableError("the agent is busy"), v1::Pacing());
  }
}

void PeriodicExchange::Run() {
  options_.board->Attempted(options_.exchange);
  options_.attempt([this](const absl::Status& status,
                          const v1::Pacing& pacing) { Ended(status, pacing); });
}

void PeriodicExchange::Ended(const absl::Status& status,
                             const v1::Pacing& pacing) {
  if (!status.ok()) {
    options_.board->Failed(options_.exchange, status);
  } else if (!options_.answered_elsewhere) {
    options_.board->Succeeded(options_.exchange);
  }
  absl::MutexLock lock(&mutex_);
  running_ = false;
  v1::Pacing wish = pacing;
  if (options_.answered_elsewhere) wish = pacing_;
  ScheduleAfter(pacer_.After(status, wish));
}

}  // namespace mc::agent

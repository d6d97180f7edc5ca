#include "mc-service/domain/exchanges/exchange_log.h"

#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::service {

ExchangeWatch::ExchangeWatch(std::string cluster_id, size_t max_queued,
                             std::function<void()> ready)
    : cluster_id_(std::move(cluster_id)),
      max_queued_(max_queued),
      ready_(std::make_shared<const std::function<void()>>(std::move(ready))) {}

std::optional<v1::WatchExchangesResponse> ExchangeWatch::Next() {
  absl::MutexLock lock(&mutex_);
  if (queue_.empty()) return std::nullopt;
  v1::WatchExchangesResponse next = std::move(queue_.front());
  queue_.pop_front();
  return next;
}

void ExchangeWatch::Close() {
  std::shared_ptr<const std::function<void()>> ready;
  absl::MutexLock lock(&mutex_);
  ready.swap(ready_);
  queue_.clear();
}

bool ExchangeWatch::closed() const {
  absl::MutexLock lock(&mutex_);
  return ready_ == nullptr;
}

void ExchangeWatch::Offer(const v1::ExchangeRecord& record) {
  std::shared_ptr<const std::function<void()>> ready;
  {
    absl::MutexLock lock(&mutex_);
    if (ready_ == nullptr) return;
    if (!cluster_id_.empty() && cluster_id_ != record.cluster_id()) return;
    if (queue_.size() >= max_queued_) {
      ++skipped_;
      return;
    }
    if (queue_.empty()) ready = ready_;
    v1::WatchExchangesResponse& entry = queue_.emplace_back();
    *entry.mutable_record() = record;
    entry.set_skipped(std::exchange(skipped_, 0));
  }
  if (ready != nullptr && *ready) (*ready)();
}

ExchangeLog::ExchangeLog(const Options& options) : options_(options) {}

ExchangeCount& ExchangeLog::CountOf(const std::string& cluster_id,
                                    v1::Exchange exchange, Counts& counts) {
  std::vector<ExchangeCount>& exchanges = counts[cluster_id];
  for (ExchangeCount& count : exchanges) {
    if (count.exchange == exchange) return count;
  }
  ExchangeCount& count = exchanges.emplace_back();
  count.cluster_id = cluster_id;
  count.exchange = exchange;
  count.last_at = absl::InfinitePast();
  return count;
}

void ExchangeLog::Add(const ExchangeCount& count, Counts& counts) {
  ExchangeCount& sum = CountOf(count.cluster_id, count.exchange, counts);
  sum.succeeded += count.succeeded;
  sum.failed += count.failed;
  if (count.last_at >= sum.last_at) {
    sum.last_at = count.last_at;
    sum.last_result = count.last_result;
  }
}

void ExchangeLog::Record(const ExchangeEvent& event) {
  std::string result = ResultName(event.status);
  std::vector<std::shared_ptr<ExchangeWatch>> watches;
  {
    absl::MutexLock lock(&mutex_);
    ExchangeCount& count = CountOf(event.cluster_id, event.exchange, pending_);
    ++(event.status.ok() ? count.succeeded : count.failed);
    if (event.at >= count.last_at) {
      count.last_at = event.at;
      count.last_result = result;
    }
    for (const std::weak_ptr<ExchangeWatch>& watch : watches_) {
      if (auto alive = watch.lock()) watches.push_back(std::move(alive));
    }
  }
  if (watches.empty()) return;

  v1::ExchangeRecord record;
  *record.mutable_at() = ToProto(event.at);
  record.set_exchange(event.exchange);
  record.set_cluster_id(event.cluster_id);
  record.set_result(std::move(result));
  record.set_summary(event.summary);
  for (const std::shared_ptr<ExchangeWatch>& watch : watches) {
    watch->Offer(record);
  }
}

void ExchangeLog::Sweep() {
  std::erase_if(watches_, [](const std::weak_ptr<ExchangeWatch>& watch) {
    const std::shared_ptr<ExchangeWatch> alive = watch.lock();
    return alive == nullptr || alive->closed();
  });
  watched_.store(!watches_.empty(), std::memory_order_relaxed);
}

absl::StatusOr<std::shared_ptr<ExchangeWatch>> ExchangeLog::Subscribe(
    std::string cluster_id, std::function<void()> ready) {
  auto watch = std::make_shared<ExchangeWatch>(
      std::move(cluster_id), options_.max_queued_records, std::move(ready));
  absl::MutexLock lock(&mutex_);
  Sweep();
  if (watches_.size() >= options_.max_watchers) {
    return Error(absl::StatusCode::kResourceExhausted,
                 v1::ERROR_REASON_OVERLOADED,
                 "too many watchers; end one of them first");
  }
  watches_.push_back(watch);
  watched_.store(true, std::memory_order_relaxed);
  return watch;
}

void ExchangeLog::Flush(std::function<void(absl::Status)> done) {
  auto counts = std::make_shared<Counts>();
  {
    absl::MutexLock lock(&mutex_);
    counts->swap(pending_);
    Sweep();
  }
  if (counts->empty()) {
    if (done) done(absl::OkStatus());
    return;
  }
  auto work = [counts](Writer& writer) -> absl::Status {
    for (const auto& [cluster, exchanges] : *counts) {
      for (const ExchangeCount& count : exchanges) {
        if (absl::Status s = writer.AddExchangeCount(count); !s.ok()) return s;
      }
    }
    return absl::OkStatus();
  };
  // Takes back what could not be written.
  auto finish = [this, counts, done = std::move(done)](absl::Status status) {
    if (!status.ok()) {
      absl::MutexLock lock(&mutex_);
      for (const auto& [cluster, exchanges] : *counts) {
        for (const ExchangeCount& count : exchanges) Add(count, pending_);
      }
    }
    if (done) done(std::move(status));
  };
  if (!options_.store->Write(work, finish)) {
    finish(Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
                 "the store's queue is full or it stops"));
  }
}

}  // namespace mc::service

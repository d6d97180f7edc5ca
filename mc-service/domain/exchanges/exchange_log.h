// What is exchanged with the clusters: counted for good, and told live to
// those who watch.
#ifndef MC_SERVICE_DOMAIN_EXCHANGES_EXCHANGE_LOG_H_
#define MC_SERVICE_DOMAIN_EXCHANGES_EXCHANGE_LOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_exchanges.pb.h"

namespace mc::service {

// One exchange that has ended.
struct ExchangeEvent {
  absl::Time at;
  v1::Exchange exchange = v1::EXCHANGE_UNSPECIFIED;
  // Empty where the caller has no identity yet.
  std::string cluster_id;
  // How it ended; a rejected report is an error too.
  absl::Status status;
  // One line for people; never a secret.
  std::string summary;
};

// One reader of the live exchanges. Thread-safe. A watch that is read too
// slowly loses the newest records and is told how many.
class ExchangeWatch {
 public:
  // `ready` is called, on the thread of whoever recorded something, when the
  // queue was empty and is not any more: read until Next() has nothing left.
  // It must be short and must not block. It may run once more while or just
  // after Close() runs on another thread: let it own what it touches.
  ExchangeWatch(std::string cluster_id, size_t max_queued,
                std::function<void()> ready);

  // The oldest record that was not read yet, with the number of records that
  // were lost before it; absent when there is none.
  std::optional<v1::WatchExchangesResponse> Next() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the subscription and lets go of `ready`. Idempotent.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class ExchangeLog;

  bool closed() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Offer(const v1::ExchangeRecord& record) ABSL_LOCKS_EXCLUDED(mutex_);

  // Empty: of all clusters.
  const std::string cluster_id_;
  const size_t max_queued_;
  mutable absl::Mutex mutex_;
  // Null once closed.
  std::shared_ptr<const std::function<void()>> ready_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::WatchExchangesResponse> queue_ ABSL_GUARDED_BY(mutex_);
  int64_t skipped_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Thread-safe. Recording does no I/O and waits for no reader.
class ExchangeLog {
 public:
  struct Options {
    Store* store = nullptr;
    // Records that wait for one watcher.
    size_t max_queued_records = 1000;
    size_t max_watchers = 100;
  };

  explicit ExchangeLog(const Options& options);

  // Whether anybody watches: a summary is worth building only then.
  bool watched() const { return watched_.load(std::memory_order_relaxed); }

  void Record(const ExchangeEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);

  // Records from now on of one cluster, or of all where `cluster_id` is empty.
  // The watch ends when it is closed or the last reference is gone.
  // RESOURCE_EXHAUSTED (OVERLOADED) beyond `max_watchers`.
  absl::StatusOr<std::shared_ptr<ExchangeWatch>> Subscribe(
      std::string cluster_id, std::function<void()> ready)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues the counts since the last flush for the store, in one work. What
  // could not be written is counted again by the next flush. `done`, where
  // given, is called once with the outcome, possibly on the store's thread.
  // To be called at intervals, and at stop before the store stops.
  void Flush(std::function<void(absl::Status)> done = nullptr)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // By cluster, those of its few exchanges: a beat costs one lookup.
  using Counts = absl::flat_hash_map<std::string, std::vector<ExchangeCount>>;

  static ExchangeCount& CountOf(const std::string& cluster_id,
                                v1::Exchange exchange, Counts& counts);
  static void Add(const ExchangeCount& count, Counts& counts);

  // Forgets watches that have ended.
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  std::atomic<bool> watched_{false};
  absl::Mutex mutex_;
  Counts pending_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<ExchangeWatch>> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_EXCHANGES_EXCHANGE_LOG_H_

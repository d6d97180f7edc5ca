// Who is registered, for every call: the store's rows of identities, kept in
// memory for a short time.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_DIRECTORY_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "mc-service/store/store.h"

namespace mc::service {

struct DirectoryOptions {
  Store* store = nullptr;
  const Clock* clock = nullptr;
  // How long another replica's change can go unnoticed.
  absl::Duration max_age = absl::Seconds(30);
  size_t max_rows = 100'000;
};

// The last rows that were loaded, by their key. Thread-safe. What could not be
// loaded is not kept.
template <typename Row>
class RowCache {
 public:
  using Load = std::function<absl::StatusOr<Row>(std::string_view key)>;

  RowCache(const DirectoryOptions& options, Load load)
      : options_(options), load_(std::move(load)) {}

  // At most `max_age` old. It blocks while it loads.
  absl::StatusOr<std::shared_ptr<const Row>> Share(std::string_view key)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Time now = options_.clock->Now();
    uint64_t invalidations;
    {
      absl::MutexLock lock(&mutex_);
      DropOlderThan(now - options_.max_age, now);
      const auto found = by_key_.find(key);
      if (found != by_key_.end()) return found->second->row;
      invalidations = invalidations_;
    }
    absl::StatusOr<Row> loaded = load_(key);
    if (!loaded.ok()) return loaded.status();
    auto row = std::make_shared<const Row>(*std::move(loaded));
    absl::MutexLock lock(&mutex_);
    // A row that was read before a change must not be kept after it.
    if (invalidations == invalidations_) Keep(key, row, now);
    return row;
  }

  // A copy.
  absl::StatusOr<Row> Find(std::string_view key) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::StatusOr<std::shared_ptr<const Row>> row = Share(key);
    if (!row.ok()) return row.status();
    return **row;
  }

  // To be called when the row has changed.
  void Invalidate(std::string_view key) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++invalidations_;
    Drop(by_key_.find(key));
  }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Row> row;
    absl::Time loaded_at;
  };
  using Entries = std::list<Entry>;
  using Index = std::map<std::string, typename Entries::iterator, std::less<>>;

  void Drop(typename Index::iterator indexed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (indexed == by_key_.end()) return;
    by_age_.erase(indexed->second);
    by_key_.erase(indexed);
  }

  // A clock that was set back makes entries of the future: they go as well.
  void DropOlderThan(absl::Time oldest, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!by_age_.empty() && (by_age_.front().loaded_at <= oldest ||
                                by_age_.front().loaded_at > now)) {
      Drop(by_key_.find(by_age_.front().key));
    }
  }

  void Keep(std::string_view key, std::shared_ptr<const Row> row,
            absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Drop(by_key_.find(key));
    if (by_age_.size() >= options_.max_rows) {
      Drop(by_key_.find(by_age_.front().key));
    }
    by_age_.push_back({std::string(key), std::move(row), now});
    by_key_.emplace(key, std::prev(by_age_.end()));
  }

  const DirectoryOptions options_;
  const Load load_;
  absl::Mutex mutex_;
  uint64_t invalidations_ ABSL_GUARDED_BY(mutex_) = 0;
  // The oldest first.
  Entries by_age_ ABSL_GUARDED_BY(mutex_);
  Index by_key_ ABSL_GUARDED_BY(mutex_);
};

// OK for a cluster that may call. PERMISSION_DENIED (IDENTITY_UNKNOWN,
// IDENTITY_REVOKED, REGISTRATION_PENDING). A re-opened cluster may call until
// other keys take it over.
absl::Status CheckMayCall(const Cluster& cluster);

// Thread-safe. Lookups block: not for reactions.
class ClusterDirectory {
 public:
  explicit ClusterDirectory(const DirectoryOptions& options);

  // The cluster, whatever its registration. PERMISSION_DENIED
  // (IDENTITY_UNKNOWN) where there is none, else the store's error.
  absl::StatusOr<Cluster> Find(std::string_view cluster_id);

  // The cluster, if it may call: errors of Find and CheckMayCall. For each
  // call: it copies nothing.
  absl::StatusOr<std::shared_ptr<const Cluster>> Registered(
      std::string_view cluster_id);

  // The same, where only the answer counts.
  absl::Status CheckRegistered(std::string_view cluster_id) {
    return Registered(cluster_id).status();
  }

  // To be called after a change of the cluster is committed.
  void Invalidate(std::string_view cluster_id) {
    cache_.Invalidate(cluster_id);
  }

 private:
  RowCache<Cluster> cache_;
};

// Thread-safe. Lookups block: not for reactions.
class OperatorDirectory {
 public:
  explicit OperatorDirectory(const DirectoryOptions& options);

  // PERMISSION_DENIED (IDENTITY_UNKNOWN) where there is none, else the store's
  // error.
  absl::StatusOr<Operator> Find(std::string_view name);

  // To be called after a change of the operator is committed.
  void Invalidate(std::string_view name) { cache_.Invalidate(name); }

 private:
  RowCache<Operator> cache_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_DIRECTORY_H_

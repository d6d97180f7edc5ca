// The open streams of all clusters, so that they can be ended from outside.
#ifndef MC_SERVICE_API_STREAM_REGISTRY_H_
#define MC_SERVICE_API_STREAM_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace mc::service {

enum class StreamKind {
  kReports,
  // One of a cluster: a newer one ends the older.
  kHeartbeats,
  kWatch,
};

// Thread-safe.
class StreamRegistry {
 public:
  using Id = uint64_t;
  // Ends a stream. It must not block, and do nothing once the stream is over;
  // it may be called from any thread, at any time after Add began.
  using End = std::function<void(const absl::Status&)>;
  // Called at intervals, from any thread, under the same rules.
  using Tick = std::function<void()>;
  // Whether two agents were seen that speak in turn for this cluster.
  using CloneSuspected = std::function<bool(std::string_view cluster_id)>;

  explicit StreamRegistry(CloneSuspected clone_suspected = nullptr)
      : clone_suspected_(std::move(clone_suspected)) {}

  // `owner` is the cluster, or the operator of a watch. UNAVAILABLE
  // (OVERLOADED) once the service drains; RESOURCE_EXHAUSTED (RATE_LIMITED)
  // where the owner has `max_open` streams of this kind open (0: any number).
  // A second heartbeat stream of an
  // owner ends the first with ABORTED (SUPERSEDED, or CLONE_SUSPECTED).
  absl::StatusOr<Id> Add(StreamKind kind, std::string_view owner, End end,
                         Tick tick = nullptr, size_t max_open = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Remove(Id id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends all streams with UNAVAILABLE (OVERLOADED), each with another delay
  // before it may come back, and takes no further ones.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the streams of one owner, for instance when it was revoked.
  void EndStreamsOf(std::string_view owner, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls the tick of each stream that has one.
  void TickAll() const ABSL_LOCKS_EXCLUDED(mutex_);

  size_t Count(StreamKind kind) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    StreamKind kind;
    std::string owner;
    End end;
    Tick tick;
  };

  const CloneSuspected clone_suspected_;
  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  Id last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Id, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<StreamKind, size_t> counts_ ABSL_GUARDED_BY(mutex_);
  // The streams of an owner.
  std::multimap<std::string, Id, std::less<>> by_owner_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_STREAM_REGISTRY_H_

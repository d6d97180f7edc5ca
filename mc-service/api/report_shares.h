// How many reports of one cluster may wait for the store.
#ifndef MC_SERVICE_API_REPORT_SHARES_H_
#define MC_SERVICE_API_REPORT_SHARES_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mc::service {

// Each cluster has the same share, over all its streams: the store's queue is
// first come first served, so nobody waits behind more than that of a greedy
// one. Thread-safe.
class ReportShares {
 public:
  using Resume = std::function<void()>;

  explicit ReportShares(size_t max_per_cluster) : max_(max_per_cluster) {}

  // Takes a place, which Release() gives back. False: there is none.
  bool Take(std::string_view cluster_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `resume` once, when a place was taken for it: at once, or in turn on
  // the thread that released one. It must be short. The caller reads no
  // further until then, so that one report of each stream waits here at most.
  void TakeOrWait(std::string_view cluster_id, Resume resume)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Release(std::string_view cluster_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Share {
    size_t taken = 0;
    // In the order in which they came.
    std::deque<Resume> waiting;
  };

  bool TakeLocked(std::string_view cluster_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_;
  absl::Mutex mutex_;
  // Only of clusters that have something waiting.
  std::map<std::string, Share, std::less<>> shares_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_REPORT_SHARES_H_

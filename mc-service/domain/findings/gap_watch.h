// Tells operators of consumption reports that do not come.
#ifndef MC_SERVICE_DOMAIN_FINDINGS_GAP_WATCH_H_
#define MC_SERVICE_DOMAIN_FINDINGS_GAP_WATCH_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Thread-safe. It outlives the store's works that it queued.
class GapWatch {
 public:
  struct Options {
    Store* store = nullptr;
    const Clock* clock = nullptr;
    // Reports may come in any order: a gap is told when it is older.
    absl::Duration patience = absl::Seconds(30);
    // For a counter; on the store's thread. May be null.
    std::function<void(int64_t gaps)> on_gaps;
  };

  explicit GapWatch(Options options) : options_(std::move(options)) {}

  // Raises findings for gaps that are old enough. To be called at intervals;
  // it reads, and leaves the rest to the store's writer.
  void Sweep();

 private:
  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_FINDINGS_GAP_WATCH_H_

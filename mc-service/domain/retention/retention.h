// Deletes what need not be kept for good, when its time is over.
#ifndef MC_SERVICE_DOMAIN_RETENTION_RETENTION_H_
#define MC_SERVICE_DOMAIN_RETENTION_RETENTION_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "mc-service/store/store.h"

namespace mc::service {

// How long each is kept.
struct RetentionRules {
  absl::Duration consumption_reports = absl::InfiniteDuration();
  absl::Duration events = absl::Hours(90 * 24);
  absl::Duration closed_findings = absl::Hours(90 * 24);
  // After they expired. A registration that was made with one can be repeated
  // with it as long as it is there.
  absl::Duration enrollment_tokens = absl::Hours(90 * 24);
};

// The time that the rules count from. It is never ahead of the wall clock, and
// where that jumps ahead, it follows at no more than twice the pace of time
// since boot: a clock that is a year ahead for a day costs what a day would
// have cost anyhow. A service that was off for a month needs a month to catch
// up, and keeps things longer meanwhile. A clock that is set back deletes
// nothing.
//
// `before` is what this returned the last time, `elapsed` the time since then
// by a clock that cannot be set; zero where nobody has measured it.
absl::Time RetentionTime(absl::Time now, absl::Time before,
                         absl::Duration elapsed);

// Runs the rules. One thread at a time.
class Retention {
 public:
  struct Options {
    Store* store = nullptr;
    const Clock* clock = nullptr;
    RetentionRules rules;
    // Rows of one transaction, each with what is below it: others' writes wait
    // that long.
    int chunk = 100;
    // Told how many were deleted; for counters.
    std::function<void(Prunable, int64_t)> on_deleted;
  };

  explicit Retention(Options options) : options_(std::move(options)) {}

  // Deletes all that is over, in chunks, and finishes a scrub that is pending;
  // blocks. An error ends it; the next run goes on.
  absl::Status Run();

 private:
  absl::Status Apply(Prunable what, absl::Duration kept, absl::Time time);

  const Options options_;
  // Since boot, when it last ran.
  std::optional<absl::Duration> last_run_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_RETENTION_RETENTION_H_

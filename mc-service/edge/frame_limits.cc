#include "mc-service/edge/frame_limits.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/retry/rate_limit.h"
#include "common/time/clock.h"
#include "common/tls/guard_reads.h"

namespace mc::service {

void GuardFrames(double calls_per_second, const Clock* clock,
                 Metrics* metrics) {
  prometheus::Counter& ended = metrics->AddCounter(
      "hostile_connections_total",
      "Connections that were ended for what their frames were.");
  GuardOptions options;
  // A call is one stream, and one more frame where it is cancelled.
  options.limits.streams_per_second = 2 * calls_per_second;
  options.limits.streams_at_once = 50 * calls_per_second;
  options.limits.empties_per_second = 100 * calls_per_second;
  options.limits.empties_at_once = 1000 * calls_per_second;
  options.clock = clock;
  // Whoever comes again and again does not fill the log.
  auto lines = std::make_shared<RateLimit>(
      RateLimit::Options{.burst = 10, .clock = clock});
  options.on_ended = [&ended, lines](std::string_view why) {
    ended.Increment();
    if (lines->Take(why) > absl::ZeroDuration()) return;
    LogWarning("a connection was ended", {{"reason", std::string(why)}});
  };
  GuardReads(std::move(options));
}

}  // namespace mc::service

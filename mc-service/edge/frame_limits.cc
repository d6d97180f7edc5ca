#include "mc-service/edge/frame_limits.h"

#include <utility>

#include "common/metrics/metrics.h"
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
  options.on_ended = [&ended] { ended.Increment(); };
  GuardReads(std::move(options));
}

}  // namespace mc::service

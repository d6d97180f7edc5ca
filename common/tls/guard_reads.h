// Puts a FrameGuard before every TLS connection that this process serves.
#ifndef COMMON_TLS_GUARD_READS_H_
#define COMMON_TLS_GUARD_READS_H_

#include <functional>

#include "common/time/clock.h"
#include "common/tls/frame_guard.h"

namespace mc {

struct GuardOptions {
  // Of a connection; those of streams also of all connections together that
  // show certificates of one identity.
  FrameGuard::Limits limits;
  // It outlives every connection.
  const Clock* clock = nullptr;
  // Told of each connection that is ended, on gRPC's threads; may be empty. The
  // log has the reasons, at a bounded rate.
  std::function<void()> on_ended;
};

// From now on connections of HTTP/2 that this process serves are guarded; to be
// called before the first listener starts. gRPC reads through OpenSSL's
// SSL_read, which this library defines in its place: a program's own definition
// comes before a shared library's. Where gRPC brings its own TLS nothing is
// guarded; tests/fault/test_hostile_clusters.py tells.
void GuardReads(GuardOptions options);

// No connection is guarded any more. To be called when the listeners are gone,
// before what the options refer to.
void StopGuardingReads();

}  // namespace mc

#endif  // COMMON_TLS_GUARD_READS_H_

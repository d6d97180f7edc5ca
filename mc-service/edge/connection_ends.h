// Why a listener's connections are refused or cut, counted and logged.
#ifndef MC_SERVICE_EDGE_CONNECTION_ENDS_H_
#define MC_SERVICE_EDGE_CONNECTION_ENDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mc::service {

// Why a connection was not taken, or was ended. From kHandshakeTimeout on gRPC
// had it already.
enum class EndReason : uint8_t {
  kConnections,
  kSiteConnections,
  kDescriptors,
  kProxyHeader,
  kNotTls,
  // Sent no ClientHello in time, or until its place was needed.
  kSilent,
  kHandshakeQueue,
  kHandshakeTimeout,
  kTooMuch,
  kSlowReader,
  // Acceptor::Cut() was called.
  kOffender,
};
inline constexpr size_t kEndReasons = 11;

constexpr bool IsCut(EndReason reason) {
  return reason >= EndReason::kHandshakeTimeout;
}
// In lower case, for logs and metrics.
std::string_view EndReasonName(EndReason reason);

// By reason.
using EndCounts = std::array<uint64_t, kEndReasons>;

// Of one listener. Thread-safe.
class ConnectionEnds {
 public:
  // `listener` is for logs.
  explicit ConnectionEnds(std::string listener);

  // Cuts that are logged one by one between two reports; whoever comes again
  // and again does not fill the disk.
  static constexpr int kLoggedCuts = 20;

  // Of `peer`, as gRPC writes it. A cut is logged, with `why` in the place of
  // the reason's name unless it is empty.
  void Count(EndReason reason, std::string_view peer, std::string_view why = {})
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Logs what was refused since it last did, by reason, and of how many cuts
  // there is no line. Refusals can be many: some lines tell of all of them, so
  // it does nothing for a while after.
  void Report(absl::Duration since_boot) ABSL_LOCKS_EXCLUDED(mutex_);

  EndCounts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string listener_;
  mutable absl::Mutex mutex_;
  EndCounts counts_ ABSL_GUARDED_BY(mutex_) = {};
  // As of the last report, and the last that was refused.
  EndCounts reported_ ABSL_GUARDED_BY(mutex_) = {};
  std::string last_refused_ ABSL_GUARDED_BY(mutex_);
  // Cuts since the last report.
  int cuts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration report_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_CONNECTION_ENDS_H_

// All listeners of a process: one start, one end, and the way from a call to
// its listener.
#ifndef MC_SERVICE_EDGE_LISTENERS_H_
#define MC_SERVICE_EDGE_LISTENERS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "common/time/clock.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/edge/gate.h"
#include "mc-service/edge/listener.h"
#include "mc-service/edge/listener_tls.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// Start() and End() are for one thread; the rest is thread-safe.
class Listeners {
 public:
  // Behind one listener.
  struct Served {
    Listener listener;
    // Not owned.
    grpc::Service* service;
    // Its full name, for health.
    std::string service_name;
    AdmitCall admit = nullptr;
    // Where the configuration allows more.
    int64_t max_message_bytes = std::numeric_limits<int64_t>::max();
  };

  Listeners() = default;
  // End().
  ~Listeners();

  // Starts a listener for each of `served`, as `values` (which were checked)
  // say, guards its frames, and shows its figures in `metrics`. All are
  // NOT_SERVING. The first that cannot start ends it. May be called once; what
  // `served` names, `tls`, `clock` and `metrics` outlive End().
  absl::Status Start(const config::ServiceConfig& values,
                     const std::vector<Served>& served, ListenerTls* tls,
                     const Clock* clock, Metrics* metrics);

  // Of a listener that was started.
  int port(Listener listener) const { return Find(listener)->port(); }

  void SetServing(bool serving);

  // All at once: accepts nothing new, waits at most until `deadline` for the
  // open calls, then cancels them. Blocks.
  void Shutdown(absl::Time deadline);

  // Ends at once what is still open, and forgets the listeners. Nobody may
  // read the metrics any more. May be called again.
  void End();

  // As ListenerServer, also while listeners are started. `listener` is one
  // alone; where there is none, `peer`.
  std::string RealPeer(Listener listener, std::string_view peer) const;
  bool Cut(Listener listener, std::string_view peer,
           std::string_view why) const;

 private:
  ListenerServer* Find(Listener listener) const;

  std::vector<std::unique_ptr<ListenerServer>> servers_;
  // By the listener's number.
  std::array<std::atomic<ListenerServer*>, 8> table_ = {};
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LISTENERS_H_

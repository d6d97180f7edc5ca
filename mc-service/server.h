// The whole service in one object: the graph of its parts, its listeners, and
// their end in order.
#ifndef MC_SERVICE_SERVER_H_
#define MC_SERVICE_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/edge/ports.h"

namespace mc::service {

class Server {
 public:
  struct Options {
    // Checked: see checks.h.
    Configuration configuration;
    // Outlives the server.
    Clock* clock = nullptr;
  };

  // Opens the store, builds the graph and starts every listener. When it
  // returns the service is ready, and the ports file is written.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options);

  // Drains.
  virtual ~Server() = default;

  virtual const Ports& ports() const = 0;

  // Tells health checks and open streams, waits at most drain_timeout for open
  // calls, writes what is in memory, stops the store. Blocks. Idempotent.
  virtual void Drain() = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_SERVER_H_

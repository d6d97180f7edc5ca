// The enrollment front: a process of its own that meets those who are not
// enrolled yet, and has neither the store nor a key of a CA.
#ifndef MC_SERVICE_ENROLL_ENROLL_FRONT_H_
#define MC_SERVICE_ENROLL_ENROLL_FRONT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/time/clock.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/edge/ports.h"

namespace mc::service {

class EnrollFront {
 public:
  struct Options {
    // Checked: see CheckFront() in checks.h.
    Configuration configuration;
    // host:port of /metrics, /healthz and /readyz; port 0 takes a free one.
    std::string metrics_address;
    // Outlives the front.
    Clock* clock = nullptr;
  };

  // Opens listeners.enrollment. Whether the service runs does not matter: calls
  // are refused with OVERLOADED while it does not, and /readyz says so.
  static absl::StatusOr<std::unique_ptr<EnrollFront>> Start(Options options);

  // Drains.
  virtual ~EnrollFront() = default;

  // Only `enrollment` and `metrics`.
  virtual const Ports& ports() const = 0;

  // Accepts nothing more and waits at most drain_timeout for open calls.
  // Blocks. Idempotent.
  virtual void Drain() = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_ENROLL_ENROLL_FRONT_H_

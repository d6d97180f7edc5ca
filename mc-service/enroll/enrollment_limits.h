// How often somebody may call who has no identity yet, and who tried in vain.
#ifndef MC_SERVICE_ENROLL_ENROLLMENT_LIMITS_H_
#define MC_SERVICE_ENROLL_ENROLLMENT_LIMITS_H_

#include <google/protobuf/message.h>

#include <string_view>

#include "absl/status/status.h"
#include "common/metrics/metrics.h"
#include "common/retry/rate_limit.h"
#include "common/time/clock.h"

namespace mc::service {

// A minute's worth may come at once. Many sites share an address, and one
// license has many clusters: refusals are RESOURCE_EXHAUSTED (RATE_LIMITED)
// with a retry delay. They are counted, and logged as often as a log can bear.
// Thread-safe; nothing blocks.
class EnrollmentLimits {
 public:
  struct Options {
    // Calls; more than 0.
    int per_minute_per_address = 60;
    int per_minute_per_license = 120;
    const Clock* clock = nullptr;
    // Outlives this object.
    Metrics* metrics = nullptr;
  };

  explicit EnrollmentLimits(const Options& options);

  // Of a call from `address`, without its port.
  absl::Status TakeAddress(std::string_view address);

  // Of a call whose request names a license by its key (the field
  // `license_key`); others, and null, pass. Goes by the key's digest: no key is
  // kept, or logged.
  absl::Status TakeLicense(std::string_view address,
                           const google::protobuf::Message* request);

  // Notes a call that ended because its credentials (license key, enrollment
  // token, user name and password) are none, or no longer.
  void Ended(std::string_view full_method, std::string_view address,
             const absl::Status& status);

 private:
  absl::Status Limited(absl::Duration wait, std::string_view whose,
                       std::string_view address, prometheus::Counter& counter);

  RateLimit by_address_;
  RateLimit by_license_;
  // Of log lines: strangers must not fill the disk.
  RateLimit lines_;
  prometheus::Counter& limited_by_address_;
  prometheus::Counter& limited_by_license_;
  prometheus::Counter& refused_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_ENROLL_ENROLLMENT_LIMITS_H_

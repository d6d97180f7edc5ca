// The master's own certificate for one of its ports.
#ifndef MC_CLUSTER_AGENT_SITE_MASTER_CERTIFICATE_H_
#define MC_CLUSTER_AGENT_SITE_MASTER_CERTIFICATE_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "common/time/clock.h"
#include "common/tls/credentials.h"

namespace mc::agent {

// Thread-safe.
class MasterCertificate {
 public:
  // Both outlive this.
  MasterCertificate(const SiteAuthority* authority, const Clock* clock)
      : authority_(authority), clock_(clock) {}

  // For RenewingServerCredentials: another one with another key from half of
  // its lifetime on, and where the clock was set to before its start.
  absl::StatusOr<std::optional<ServerTls>> Next() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const SiteAuthority* const authority_;
  const Clock* const clock_;
  absl::Mutex mutex_;
  absl::Time not_before_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time renew_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_MASTER_CERTIFICATE_H_

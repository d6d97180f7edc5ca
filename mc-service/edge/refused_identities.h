// The clusters whose handshakes are refused.
#ifndef MC_SERVICE_EDGE_REFUSED_IDENTITIES_H_
#define MC_SERVICE_EDGE_REFUSED_IDENTITIES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Thread-safe. It is asked in each handshake: all of it is in memory.
class RefusedIdentities {
 public:
  // Adds every revoked cluster of the store; blocks. To be called before the
  // first handshake.
  absl::Status Load(Store* store) ABSL_LOCKS_EXCLUDED(mutex_);

  // After a change of the cluster: IDENTITY_REVOKED refuses it from now on, OK
  // lets it in again; another status changes nothing.
  void Update(std::string_view cluster_id, const absl::Status& may_call)
      ABSL_LOCKS_EXCLUDED(mutex_);

  bool Contains(std::string_view cluster_id) const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  absl::flat_hash_set<std::string> ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_REFUSED_IDENTITIES_H_

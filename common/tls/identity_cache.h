// Identities of peers by their certificates, parsed once.
#ifndef COMMON_TLS_IDENTITY_CACHE_H_
#define COMMON_TLS_IDENTITY_CACHE_H_

#include <grpcpp/security/auth_context.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/tls/identity.h"

namespace mc {

// Thread-safe. It says who a certificate is, which never changes; whether it
// has expired (PeerIdentity::not_after) or was revoked is the caller's to check
// each time.
class PeerIdentityCache {
 public:
  // Some 1.3 KB each.
  explicit PeerIdentityCache(size_t max_entries = 20'000)
      : max_generation_(max_entries / 2 + 1) {}

  using Entry = std::shared_ptr<const PeerIdentity>;

  // As PeerIdentityOf and IdentityOfCertificate. Errors are not kept.
  absl::StatusOr<Entry> Of(const grpc::AuthContext& context)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Entry> OfCertificate(std::string_view pem)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // By the whole certificate: a digest would cost more than the comparison.
  using Entries = absl::flat_hash_map<std::string, Entry>;

  const size_t max_generation_;
  absl::Mutex mutex_;
  // What was asked for since the last change of generations, and what was
  // before it: whoever is not asked for in two of them is forgotten.
  Entries young_ ABSL_GUARDED_BY(mutex_);
  Entries old_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc

#endif  // COMMON_TLS_IDENTITY_CACHE_H_

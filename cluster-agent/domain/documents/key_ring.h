// The keys that the service signs with, while they may be followed by others.
#ifndef MC_CLUSTER_AGENT_DOMAIN_DOCUMENTS_KEY_RING_H_
#define MC_CLUSTER_AGENT_DOMAIN_DOCUMENTS_KEY_RING_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cluster-agent/domain/documents/documents.h"
#include "google/protobuf/repeated_field.h"

namespace mc::agent {

// Thread-safe.
class KeyRing {
 public:
  KeyRing() = default;
  explicit KeyRing(DocumentKeys keys) : keys_(std::move(keys)) {}

  DocumentKeys keys() const {
    absl::MutexLock lock(&mutex_);
    return keys_;
  }
  void Set(DocumentKeys keys) {
    absl::MutexLock lock(&mutex_);
    keys_ = std::move(keys);
  }

 private:
  mutable absl::Mutex mutex_;
  DocumentKeys keys_ ABSL_GUARDED_BY(mutex_);
};

// `keys`, and each that a signed KeySuccessionDocument names as the successor
// of one of them; the older ones stay, for what they have signed. A succession
// of a key that is not known is from before this cluster's time, and stepped
// over. UNAUTHENTICATED: one is not signed by the key that it says, or names no
// key.
absl::StatusOr<DocumentKeys> FollowSuccessions(
    const google::protobuf::RepeatedPtrField<
        missioncontrol::v1::SignedDocument>& successions,
    DocumentKeys keys);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_DOCUMENTS_KEY_RING_H_

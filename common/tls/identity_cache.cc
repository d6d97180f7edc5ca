#include "common/tls/identity_cache.h"

#include <utility>

namespace mc {

absl::StatusOr<PeerIdentityCache::Entry> PeerIdentityCache::Of(
    const grpc::AuthContext& context) {
  const absl::StatusOr<std::string_view> pem = PeerCertificateOf(context);
  if (!pem.ok()) return pem.status();
  return OfCertificate(*pem);
}

absl::StatusOr<PeerIdentityCache::Entry> PeerIdentityCache::OfCertificate(
    std::string_view pem) {
  const absl::string_view key(pem.data(), pem.size());
  {
    absl::MutexLock lock(&mutex_);
    const auto found = young_.find(key);
    if (found != young_.end()) return found->second;
    const auto older = old_.find(key);
    if (older != old_.end() && young_.size() < max_generation_) {
      return young_.insert(old_.extract(older)).position->second;
    }
  }
  absl::StatusOr<PeerIdentity> identity = IdentityOfCertificate(pem);
  if (!identity.ok()) return identity.status();
  auto entry = std::make_shared<const PeerIdentity>(*std::move(identity));
  absl::MutexLock lock(&mutex_);
  if (young_.size() >= max_generation_) {
    old_ = std::exchange(young_, {});
  }
  return young_.try_emplace(std::string(pem), std::move(entry)).first->second;
}

}  // namespace mc

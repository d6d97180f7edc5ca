// The store's part for what was certified for clusters, and for two agents
// that have one identity.
#ifndef MC_SERVICE_STORE_IDENTITY_STORE_H_
#define MC_SERVICE_STORE_IDENTITY_STORE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc::service {

enum class IdentityState {
  // Not used yet: what it follows is good as well.
  kIssued = 1,
  kActive = 2,
  // One that was issued from it was used.
  kReplaced = 3,
  // It belongs to another agent now, and never comes back.
  kLost = 4,
};

// A key that was certified, with the password that was answered with it. A key
// that was certified several times has several.
struct IssuedIdentity {
  // SHA-256 each; an empty password digest: not known.
  std::string tls_key_digest;
  std::string password_digest;
  // Of the identity that asked for it; empty: not known.
  std::string predecessor_key_digest;
  std::string certificate_serial;
  absl::Time certificate_not_after;
  absl::Time issued_at;
  // The cluster's when it was issued: a registration that was taken over has
  // another.
  absl::Time registered_at;
  // Of the agent that asked; empty: it did not say.
  std::string agent_instance_id;
  IdentityState state = IdentityState::kIssued;
};

// Agents of one cluster that are kept with a suspicion: the last ones.
inline constexpr size_t kMaxCloneInstances = 16;

class IdentityReader {
 public:
  virtual ~IdentityReader() = default;

  // In the order in which they were put; none for a cluster that is not there.
  virtual absl::StatusOr<std::vector<IssuedIdentity>> ListIssuedIdentities(
      std::string_view cluster_id) = 0;
};

class IdentityWriter {
 public:
  virtual ~IdentityWriter() = default;

  // Takes the place of all that there are.
  virtual absl::Status PutIssuedIdentities(
      std::string_view cluster_id,
      const std::vector<IssuedIdentity>& identities) = 0;

  // Keeps the newer time, and adds the agents, of which the last ones stay.
  virtual absl::Status SetCloneSuspected(
      std::string_view cluster_id, absl::Time at,
      const std::vector<std::string>& agent_instance_ids) = 0;
  // Forgets time and agents.
  virtual absl::Status EndCloneSuspicion(std::string_view cluster_id) = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_IDENTITY_STORE_H_

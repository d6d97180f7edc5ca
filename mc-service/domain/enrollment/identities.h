// The keys and passwords of one cluster, and which of them are good.
//
// Each identity (a certified key with its password) follows another one: the
// one that asked for it. Both are good until the newer one was used; from then
// on the older one is replaced. An identity that two follow was copied, or came
// back from a copy: both are good until an operator decides, because nothing
// here tells which of them is the customer's.
//
// What was replaced is kept for a while. Its key tells its holder to recover,
// and its password together with its key is as good as ever: a disk that was
// restored holds both. What was lost is kept as well, and comes back never.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_IDENTITIES_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_IDENTITIES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Within one transaction; thread-compatible.
class Identities {
 public:
  // Beyond it the oldest are forgotten.
  static constexpr size_t kKept = 40;

  enum class Standing {
    kUnknown,
    kIssued,
    kCurrent,
    kReplaced,
    kLost,
  };

  // What a password is good for: the key that it came with.
  struct Match {
    Standing standing = Standing::kUnknown;
    std::string tls_key_digest;
  };

  // What a use has changed.
  enum class Used { kNothing, kPromoted, kAdopted };

  Identities(Cluster cluster, std::vector<IssuedIdentity> issued)
      : cluster_(std::move(cluster)), issued_(std::move(issued)) {}

  // NOT_FOUND, or the store's error.
  static absl::StatusOr<Identities> Load(Reader& reader,
                                         std::string_view cluster_id);
  absl::Status Save(Writer& writer) const;

  const Cluster& cluster() const { return cluster_; }
  const std::vector<IssuedIdentity>& issued() const { return issued_; }

  Standing OfKey(std::string_view key_digest) const;

  // In a time that does not depend on which one it is, or whether it is one.
  // Absent: none, nor was it within what is kept.
  std::optional<Match> OfPassword(std::string_view password_digest) const;

  // Whether a certificate of a key that is not known ends later than all that
  // are: it was issued after the backup that this store was restored from.
  bool IsNewer(absl::Time not_after) const;

  // Adds an identity that follows `issued.predecessor_key_digest`. Its
  // registration and state are set here. Returns the agents that asked for the
  // others that follow the same one, where there are any: a clone is suspected.
  std::optional<std::vector<std::string>> Add(IssuedIdentity issued,
                                              absl::Time now);

  // The cluster's own key was certified by its registration. Where that was
  // repeated, the password before stays good, too: answers can be lost, and
  // can come in another order.
  void Register(std::string_view password_digest,
                std::string_view certificate_serial, absl::Time not_after);

  // The key, which is kIssued or kCurrent, was used.
  Used Use(std::string_view key_digest);

  // The key was used, and IsNewer: it follows the cluster's own.
  void Accept(std::string_view key_digest, std::string_view certificate_serial,
              absl::Time not_after, absl::Time now);

  // Keeps what other keys may take over, so that its holder can be told.
  void KeepOwn();

  // From now on this agent is the cluster, once it has used a key that it asks
  // for after this; its copy may have those before. Empty: no one is chosen.
  void Adopt(std::string_view agent_instance_id, absl::Time now);

 private:
  Standing StandingOf(const IssuedIdentity& issued) const;
  // The cluster's own as it is kept; nothing where it has none, or is kept.
  std::optional<IssuedIdentity> OwnToKeep() const;
  IssuedIdentity* Newest(std::string_view key_digest);
  const IssuedIdentity* Newest(std::string_view key_digest) const;
  void Replace(std::string_view key_digest);
  void MakeOwn(const IssuedIdentity& issued);
  void Forget();

  Cluster cluster_;
  // The oldest first.
  std::vector<IssuedIdentity> issued_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_IDENTITIES_H_

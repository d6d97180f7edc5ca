// Answers RenewCertificate and RecoverCertificate, and says of each key that
// comes whether it is good.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_RENEWAL_DESK_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_RENEWAL_DESK_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/retry/rate_limit.h"
#include "mc-service/domain/enrollment/certification.h"
#include "mc-service/domain/enrollment/identities.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/identity.pb.h"

namespace mc::service {

class ClusterDirectory;

// A certificate that a handshake has verified.
struct PresentedKey {
  std::string_view cluster_id;
  std::string_view tls_key_digest;
  std::string_view certificate_serial;
  absl::Time not_after;
};

// Thread-safe. It blocks: not for reactions.
class RenewalDesk {
 public:
  struct Options {
    Store* store = nullptr;
    // Told of each change.
    ClusterDirectory* directory = nullptr;
    const Clock* clock = nullptr;
    CertificationRules rules;
    // Of one user name. Wrong credentials are counted apart, and double:
    // whoever guesses does not keep the cluster out.
    int recoveries_per_hour = 10;
    // Two keys were issued from one; told with the agents that asked, where
    // they said who they are.
    std::function<void(std::string_view cluster_id,
                       const std::vector<std::string>& agent_instance_ids)>
        on_clone;
    // The agent that an operator chose has its own key: the others are out.
    std::function<void(std::string_view cluster_id)> on_adopted;
    // Wrong credentials.
    std::function<void()> on_refused;
  };

  explicit RenewalDesk(Options options);

  // A certificate for the new key of the request, and a new password; the key
  // that asks and its password stay good until one of these was used. What is
  // answered is durable. INVALID_ARGUMENT (those of CheckedCsr, and
  // CSR_KEY_NOT_ALLOWED for a key that was lost), FAILED_PRECONDITION
  // (CLONE_SUSPECTED) while an operator wants another agent to renew first,
  // and as Admit.
  absl::StatusOr<v1::RenewCertificateResponse> Renew(
      std::string_view cluster_id, std::string_view tls_key_digest,
      const v1::RenewCertificateRequest& request);

  // The same for who has the password. A password that was replaced needs a
  // proof of a key besides, as a restored disk has it. RESOURCE_EXHAUSTED
  // (RATE_LIMITED), PERMISSION_DENIED (CREDENTIALS_REFUSED, IDENTITY_REVOKED,
  // MUST_REENROLL), INVALID_ARGUMENT (INVALID_FIELD for a wrong proof, and as
  // Renew).
  absl::StatusOr<v1::RecoverCertificateResponse> Recover(
      const v1::RecoverCertificateRequest& request);

  // Whether a key other than the cluster's current one is good. A new one that
  // is used for the first time replaces the one before, durably. For clusters
  // that may call. PERMISSION_DENIED (MUST_RECOVER, MUST_REENROLL), else the
  // store's error.
  absl::Status Admit(const PresentedKey& key);

 private:
  struct Asked {
    std::string cluster_id;
    std::string predecessor_key_digest;
    std::string agent_instance_id;
    CsrInfo csr;
  };
  struct Answer {
    std::string certificate;
    std::string password;
  };
  // Whether what was asked for may be issued; it may change the identities.
  using Decide = std::function<absl::Status(Identities& identities)>;

  // Decides, certifies, and decides again where it counts.
  absl::StatusOr<Answer> Issue(const Asked& asked, const Decide& decide);
  absl::Status CheckProof(const v1::RecoverCertificateRequest& request,
                          std::string& proven_key_digest) const;
  absl::Status Credentials(const Identities& identities,
                           std::string_view password_digest,
                           std::string_view proven_key_digest,
                           Identities::Match& match) const;
  absl::Status Refused(std::string_view user_name);

  const Options options_;
  RateLimit recoveries_;
  RateLimit guesses_;
  // Of log lines: strangers must not fill the disk.
  RateLimit lines_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_RENEWAL_DESK_H_

// Answers the exchanges Installation and Registration.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_DESK_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_DESK_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/installation.pb.h"
#include "missioncontrol/v1/registration.pb.h"

namespace mc {
class CertificateAuthority;
class Clock;
class DocumentSigner;
}  // namespace mc

namespace mc::service {

class ClusterDirectory;

// The license with this key if it can be used now. INVALID_ARGUMENT
// (LICENSE_KEY_MALFORMED), NOT_FOUND (LICENSE_KEY_UNKNOWN), errors of
// CheckUsable, else those of the store. No message holds the key.
absl::StatusOr<License> UsableLicense(Reader& reader,
                                      std::string_view license_key,
                                      absl::Time now);

// The public keys that identify a cluster, as its row keeps them.
struct ClusterKeys {
  // SHA-256 of the TLS key's SubjectPublicKeyInfo.
  std::string tls_key_digest;
  // Ed25519, 32 bytes.
  std::string site_public_key;
};

// Who asks to be registered.
struct Applicant {
  std::string cluster_id;
  ClusterKeys keys;
  // Empty: none was given.
  std::string enrollment_token = {};
};

struct Registration {
  // The row of the cluster after it was registered now: the existing one or a
  // new one. Password and certificate are those that these keys had before,
  // where they had some. PENDING: an operator has to
  // approve first.
  Cluster cluster;
  // A pending one that has waited before stays as it is.
  bool changed = true;
  // The token that the registration uses up, as it is then.
  std::optional<EnrollmentToken> token = {};
};

// Where the license's enrollment policy is TOKEN, every registration that
// brings keys needs a token that was not used, or that was used for these
// keys. Where it is APPROVE, a new cluster waits; one that an operator has
// re-opened does not.
//
// Errors: ALREADY_EXISTS (CLUSTER_ALREADY_REGISTERED), PERMISSION_DENIED
// (IDENTITY_REVOKED, ENROLLMENT_TOKEN_REFUSED), FAILED_PRECONDITION
// (LICENSE_CLUSTER_LIMIT), else those of the store.
absl::StatusOr<Registration> DecideRegistration(Reader& reader,
                                                const License& license,
                                                const Applicant& applicant,
                                                absl::Time now);

// Thread-safe. It blocks: not for reactions.
class EnrollmentDesk {
 public:
  struct Options {
    Store* store = nullptr;
    // Told of each registration.
    ClusterDirectory* directory = nullptr;
    // The cluster CA.
    const CertificateAuthority* authority = nullptr;
    const DocumentSigner* signer = nullptr;
    const Clock* clock = nullptr;
    // The authority of the identities that are certified.
    std::string trust_domain;
    absl::Duration certificate_lifetime = absl::Hours(24 * 30);
    // When a cluster that waits for its approval asks again.
    absl::Duration pending_interval = absl::Seconds(30);
    // Keys that the signer's has followed: what they have signed still holds.
    std::vector<v1::DocumentKey> older_document_keys = {};
  };

  explicit EnrollmentDesk(Options options) : options_(std::move(options)) {}

  // What the license key is for, and the current OneAgent where the license
  // includes it. Errors of UsableLicense.
  absl::StatusOr<v1::InstallResponse> Install(
      const v1::InstallRequest& request) const;

  // Registers and certifies in one transaction: of two that exclude each
  // other exactly one succeeds, and what is answered is durable. A cluster
  // that waits for an operator's approval gets its status and pacing alone.
  // Errors of
  // UsableLicense and DecideRegistration, INVALID_ARGUMENT (INVALID_FIELD, or
  // those of ParseCsrDer and CheckClusterCsr).
  absl::StatusOr<v1::RegisterResponse> Register(
      const v1::RegisterRequest& request) const;

 private:
  // The answer to a cluster that waits for its approval.
  v1::RegisterResponse Pending() const;

  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_DESK_H_

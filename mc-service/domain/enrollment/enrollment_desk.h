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

// The row of a cluster after it was registered now with these keys: the
// existing one or a new one, without password and certificate. Errors:
// ALREADY_EXISTS (CLUSTER_ALREADY_REGISTERED), PERMISSION_DENIED
// (IDENTITY_REVOKED), FAILED_PRECONDITION (LICENSE_CLUSTER_LIMIT),
// UNIMPLEMENTED (NOT_SUPPORTED_YET) for a license whose enrollment policy is
// TOKEN or APPROVE, else those of the store.
absl::StatusOr<Cluster> DecideRegistration(Reader& reader,
                                           const License& license,
                                           std::string_view cluster_id,
                                           const ClusterKeys& keys,
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
    // Keys that the signer's has followed: what they have signed still holds.
    std::vector<v1::DocumentKey> older_document_keys = {};
  };

  explicit EnrollmentDesk(Options options) : options_(std::move(options)) {}

  // What the license key is for, and the current OneAgent where the license
  // includes it. Errors of UsableLicense.
  absl::StatusOr<v1::InstallResponse> Install(
      const v1::InstallRequest& request) const;

  // Registers and certifies in one transaction: of two that exclude each
  // other exactly one succeeds, and what is answered is durable. Errors of
  // UsableLicense and DecideRegistration, INVALID_ARGUMENT (INVALID_FIELD, or
  // those of ParseCsrDer and CheckClusterCsr).
  absl::StatusOr<v1::RegisterResponse> Register(
      const v1::RegisterRequest& request) const;

 private:
  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_ENROLLMENT_DESK_H_

// The service's authorities, and how one follows another.
#ifndef MC_SERVICE_CLI_AUTHORITIES_H_
#define MC_SERVICE_CLI_AUTHORITIES_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/authority.h"
#include "mc-service/cli/state_layout.h"

namespace mc::service {

enum class AuthorityKind { kServer, kCluster, kOperator };

// "server", "cluster" or "operator".
std::string_view AuthorityName(AuthorityKind kind);
CertificateFiles FilesOf(const StateLayout& state, AuthorityKind kind);

// The authority that issues. It reads the files as they are between two steps
// of a rotation that was cut off, too. Errors name the file.
absl::StatusOr<CertificateAuthority> LoadAuthority(const StateLayout& state,
                                                   AuthorityKind kind);

struct KnownAuthority {
  enum class Role {
    kIssues,
    // Was followed by another.
    kPrevious,
    // Is prepared, and does not issue yet.
    kNext,
  };
  Role role = Role::kIssues;
  std::string certificate_pem;
  // Not after the end of its certificate.
  absl::Time trusted_until;
};

// The one that issues, then the next, then the earlier ones, the newest first.
// DATA_LOSS: the file of the earlier ones is none that this program wrote.
absl::StatusOr<std::vector<KnownAuthority>> KnownAuthorities(
    const StateLayout& state, AuthorityKind kind);

// Their certificates in PEM, one after the other: of those that issue or are
// to issue, and of the earlier ones that are trusted at `now`.
absl::StatusOr<std::string> TrustedAuthorities(const StateLayout& state,
                                               AuthorityKind kind,
                                               absl::Time now);

// Makes an authority that issues from now on; the one before it is trusted for
// `trust_old` longer. A running service takes it up within seconds. What the
// old one issued for this service itself (the server's or the first operator's
// certificate) is issued again. One that was cut off is finished by the next
// one. FAILED_PRECONDITION: a backup or another rotation is under way.
absl::Status RotateAuthority(const StateLayout& state, AuthorityKind kind,
                             absl::Duration trust_old, absl::Time now);

// The first half of it, for an authority that others have to trust before it
// may issue: makes it, and writes ServerCaBundle and OperatorTrustFile, which
// name both. RotateAuthority then takes it. Idempotent.
absl::Status PrepareServerAuthority(const StateLayout& state, absl::Time now);

}  // namespace mc::service

#endif  // MC_SERVICE_CLI_AUTHORITIES_H_

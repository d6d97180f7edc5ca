// Who is at the other end: the SPIFFE ID in its certificate.
#ifndef COMMON_TLS_IDENTITY_H_
#define COMMON_TLS_IDENTITY_H_

#include <grpcpp/security/auth_context.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc {

struct PeerIdentity {
  // The ID of their cluster for the nodes of a site.
  std::string trust_domain;
  // "cluster", "operator" or "node".
  std::string kind;
  std::string id;
  // Of the certificate, lower-case hexadecimal.
  std::string serial_hex;
  // SHA-256 of the certified key's SubjectPublicKeyInfo, 32 raw bytes.
  std::string spki_sha256;
  absl::Time not_after;
};

// The identity that the handshake has verified; it parses the certificate,
// which costs as much as many messages. UNAUTHENTICATED with
// IDENTITY_MISSING: no client certificate, or one whose only URI SAN is not
// spiffe://<trust domain>/<kind>/<id> of a known kind, or which is that of an
// authority. Whether it was revoked,
// and whether it has expired since the handshake, is the caller's to check.
absl::StatusOr<PeerIdentity> PeerIdentityOf(const grpc::AuthContext& context);

// The client's certificate in PEM, as the handshake has verified it; good as
// long as the context. UNAUTHENTICATED with IDENTITY_MISSING: there is none.
absl::StatusOr<std::string_view> PeerCertificateOf(
    const grpc::AuthContext& context);

// The same as PeerIdentityOf, from the certificate itself, in PEM.
absl::StatusOr<PeerIdentity> IdentityOfCertificate(std::string_view pem);

// spiffe://<trust domain>/cluster/<id>, and .../operator/<id>.
std::string ClusterSpiffeId(std::string_view trust_domain, std::string_view id);
std::string OperatorSpiffeId(std::string_view trust_domain,
                             std::string_view id);

}  // namespace mc

#endif  // COMMON_TLS_IDENTITY_H_

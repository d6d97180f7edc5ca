#include "common/tls/identity.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <vector>

#include "common/crypto/certificate.h"
#include "common/status/status.h"

namespace mc {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::string_view kCluster = "cluster";
constexpr std::string_view kOperator = "operator";
constexpr std::string_view kNode = "node";

absl::Status Missing(std::string_view message) {
  return Error(absl::StatusCode::kUnauthenticated,
               missioncontrol::v1::ERROR_REASON_IDENTITY_MISSING, message);
}

// SPIFFE ID, 2.1 and 2.2: what a trust domain or a path segment may hold. "."
// and ".." are no segments.
bool IsPart(std::string_view text, bool upper_case) {
  return !text.empty() && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_' ||
                  (upper_case && c >= 'A' && c <= 'Z');
         });
}

bool ReadSpiffeId(std::string_view uri, PeerIdentity& identity) {
  if (!uri.starts_with(kScheme)) return false;
  uri.remove_prefix(kScheme.size());
  const size_t first = uri.find('/');
  if (first == std::string_view::npos) return false;
  const size_t second = uri.find('/', first + 1);
  if (second == std::string_view::npos) return false;
  const std::string_view domain = uri.substr(0, first);
  const std::string_view kind = uri.substr(first + 1, second - first - 1);
  const std::string_view id = uri.substr(second + 1);
  if (!IsPart(domain, false) || !IsPart(id, true) ||
      (kind != kCluster && kind != kOperator && kind != kNode)) {
    return false;
  }
  identity.trust_domain = domain;
  identity.kind = kind;
  identity.id = id;
  return true;
}

std::string SpiffeId(std::string_view trust_domain, std::string_view kind,
                     std::string_view id) {
  return std::string(kScheme)
      .append(trust_domain)
      .append("/")
      .append(kind)
      .append("/")
      .append(id);
}

}  // namespace

absl::StatusOr<std::string_view> PeerCertificateOf(
    const grpc::AuthContext& context) {
  const std::vector<grpc::string_ref> certificates =
      context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!context.IsPeerAuthenticated() || certificates.size() != 1) {
    return Missing("this call needs a client certificate");
  }
  return std::string_view(certificates[0].data(), certificates[0].size());
}

absl::StatusOr<PeerIdentity> PeerIdentityOf(const grpc::AuthContext& context) {
  const absl::StatusOr<std::string_view> pem = PeerCertificateOf(context);
  if (!pem.ok()) return pem.status();
  return IdentityOfCertificate(*pem);
}

absl::StatusOr<PeerIdentity> IdentityOfCertificate(std::string_view pem) {
  absl::StatusOr<CertificateInfo> info = ParseCertificateIdentityPem(pem);
  if (!info.ok()) return Missing("the client certificate cannot be read");
  if (info->is_ca) return Missing("the client certificate is an authority's");
  PeerIdentity identity;
  if (info->uri_sans.size() != 1 ||
      !ReadSpiffeId(info->uri_sans[0], identity)) {
    return Missing(
        "the client certificate names nobody that is known here; use one that "
        "this server's authority issued");
  }
  identity.serial_hex = info->serial_hex;
  identity.spki_sha256 = info->spki_sha256;
  identity.not_after = info->not_after;
  return identity;
}

std::string ClusterSpiffeId(std::string_view trust_domain,
                            std::string_view id) {
  return SpiffeId(trust_domain, kCluster, id);
}

std::string OperatorSpiffeId(std::string_view trust_domain,
                             std::string_view id) {
  return SpiffeId(trust_domain, kOperator, id);
}

}  // namespace mc

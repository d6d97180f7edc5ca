// What OpenSSL parses for us, and keys: requests, certificates, identities.
#include <utility>

#include "common/age/bech32.h"
#include "common/age/keys.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/tls/identity.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

const CertificateAuthority& Authority() {
  static const auto& authority =
      *new CertificateAuthority(*CertificateAuthority::Create(
          "Fuzz", absl::FromUnixSeconds(1'700'000'000),
          absl::FromUnixSeconds(2'000'000'000)));
  return authority;
}

absl::StatusOr<std::string> Issue(std::string spki_der, std::string uri) {
  IssueSpec spec;
  spec.spki_der = std::move(spki_der);
  spec.uri_sans = {std::move(uri)};
  spec.client_auth = true;
  spec.not_before = absl::FromUnixSeconds(1'750'000'000);
  spec.not_after = absl::FromUnixSeconds(1'760'000'000);
  return Authority().Issue(spec);
}

void Csr(std::string_view der) {
  const auto info = ParseCsrDer(der);
  if (!info.ok()) return;
  Require(der.size() <= kMaxCsrSize, "a request has its bound");
  if (!CheckClusterCsr(*info).ok()) return;
  Require(info->subject_empty && !info->has_san && !info->asks_for_ca,
          "a cluster asks for nothing but its key");
  const auto issued =
      Issue(info->spki_der, ClusterSpiffeId("example.com", "c-1"));
  Require(issued.ok(), "a request that is accepted can be certified");
  const auto read = ParseCertificateDer(*issued);
  Require(read.ok() && !read->is_ca &&
              read->spki_sha256 == Sha256(info->spki_der) &&
              read->uri_sans.size() == 1,
          "the certificate is of the key, and no CA");
}

void CheckInfo(const CertificateInfo& info) {
  Require(info.spki_sha256.size() == kSha256Size, "the key has its digest");
  for (const auto* names : {&info.uri_sans, &info.dns_sans}) {
    for (const std::string& name : *names) {
      Require(!name.empty() && name.find('\0') == std::string::npos,
              "alternative names are not empty, and hold no NUL");
    }
  }
}

void CertificateDer(std::string_view der) {
  const auto info = ParseCertificateDer(der);
  const auto pem = CertificateDerToPem(der);
  VerifyIssuedBy(der, Authority().cert_der()).IgnoreError();
  VerifyIssuedBy(Authority().cert_der(), der).IgnoreError();
  if (!info.ok()) return;
  CheckInfo(*info);
  Require(pem.ok(), "a certificate has a form in PEM");
  const auto again = ParseCertificatePem(*pem);
  Require(again.ok() && again->serial_hex == info->serial_hex &&
              again->not_after == info->not_after &&
              again->uri_sans == info->uri_sans,
          "PEM says the same");
}

void CertificatePem(std::string_view pem) {
  const auto chain = CertificateChainPemToDer(pem);
  const auto first = CertificatePemToDer(pem);
  if (chain.ok()) {
    Require(!chain->empty() && first.ok() && *first == chain->front(),
            "a chain begins with the first certificate");
  }
  const auto info = ParseCertificatePem(pem);
  if (info.ok()) CheckInfo(*info);
}

void Identity(std::string_view pem) {
  const auto identity = IdentityOfCertificate(pem);
  if (!identity.ok()) return;
  Require(!identity->trust_domain.empty() && !identity->id.empty() &&
              (identity->kind == "cluster" || identity->kind == "operator" ||
               identity->kind == "node"),
          "an identity is whole");
  Require(identity->id.find('/') == std::string::npos &&
              identity->id.find('\0') == std::string::npos,
          "an ID is one piece");
}

void PrivateKeys(std::string_view pem) {
  const auto key = PrivateKey::FromPem(pem);
  if (!key.ok()) return;
  const auto again = PrivateKey::FromPem(key->ToPem());
  Require(again.ok() && again->PublicSpkiDer() == key->PublicSpkiDer(),
          "a key that is accepted is accepted again");
}

void AgeKeys(std::string_view text) {
  age::Recipient::Parse(text).status().IgnoreError();
  const auto identity = age::Identity::Parse(text);
  if (!identity.ok()) return;
  Require(identity->bytes().size() == age::kKeyBytes &&
              identity->recipient().bytes().size() == age::kKeyBytes,
          "keys have their size");
}

void Bech32Text(std::string_view text) {
  const auto decoded = age::DecodeBech32(text);
  if (!decoded.ok()) return;
  Require(!decoded->prefix.empty() && decoded->bytes.size() <= text.size(),
          "what is decoded is smaller than its text");
}

// Into a certificate that says anything of itself: what is behind the
// signature.
void Sans(std::string_view uri) {
  static const auto& spki =
      *new std::string(PrivateKey::GenerateP256().PublicSpkiDer());
  const auto issued = Issue(spki, std::string(uri));
  if (!issued.ok()) return;
  const auto pem = CertificateDerToPem(*issued);
  Require(pem.ok(), "what was issued is a certificate");
  const auto identity = IdentityOfCertificate(*pem);
  if (!identity.ok()) return;
  Identity(*pem);
  if (identity->kind == "cluster") {
    Require(ClusterSpiffeId(identity->trust_domain, identity->id) == uri,
            "an identity has one form");
  }
}

constexpr Parser kParsers[] = {
    {"csr", Csr},
    {"certificate_der", CertificateDer},
    {"certificate_pem", CertificatePem},
    {"identity", Identity},
    {"private_key", PrivateKeys},
    {"age_keys", AgeKeys},
    {"bech32", Bech32Text},
    {"spiffe_id", Sans},
};

}  // namespace

std::span<const Parser> Parsers() { return kParsers; }

}  // namespace mc::fuzz

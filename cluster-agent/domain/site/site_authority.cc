#include "cluster-agent/domain/site/site_authority.h"

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

constexpr char kCommonName[] = "Mission Control site CA";
// Nodes' clocks may be behind the master's.
constexpr absl::Duration kBackdated = absl::Hours(1);

// Fixed dates: a machine whose clock was wrong at its first start would have a
// CA that nobody believes later.
absl::Time CaNotBefore() { return absl::FromUnixSeconds(1577836800); }  // 2020
absl::Time CaNotAfter() { return absl::FromUnixSeconds(2524608000); }   // 2050

absl::StatusOr<CertificateAuthority> MakeCa(const std::string& path) {
  absl::StatusOr<CertificateAuthority> ca =
      CertificateAuthority::Create(kCommonName, CaNotBefore(), CaNotAfter());
  if (!ca.ok()) return ca.status();
  const absl::Status written =
      AtomicWrite(path, absl::StrCat(ca->key_pem(), ca->cert_pem()), 0600);
  if (!written.ok()) return written;
  return ca;
}

absl::StatusOr<CertificateAuthority> ReadOrMakeCa(
    const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kSiteCaFile);
  const absl::StatusOr<std::string> pem = ReadPrivateFile(path);
  if (absl::IsNotFound(pem.status())) {
    if (!FileExists(absl::StrCat(directory, "/", kSiteNodesFile))) {
      return MakeCa(path);
    }
    return absl::DataLossError(absl::StrCat(
        path,
        " is missing, though nodes have joined; restore it from the state "
        "directory's backup. Without a backup move site-nodes.json away, "
        "start the agent, and let the nodes join again"));
  }
  if (!pem.ok()) return pem.status();
  absl::StatusOr<CertificateAuthority> ca =
      CertificateAuthority::Load(*pem, *pem);
  if (!ca.ok()) {
    return absl::DataLossError(absl::StrCat(
        path, " is damaged (", ca.status().message(),
        "); restore it from the state directory's backup. Without a backup "
        "move it and site-nodes.json away, start the agent, and let the nodes "
        "join again"));
  }
  return ca;
}

}  // namespace

absl::StatusOr<CertificateAuthority> LoadSiteCa(
    const std::string& certificate_file, const std::string& key_file) {
  const absl::StatusOr<std::string> certificate = ReadFile(certificate_file);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key = ReadPrivateFile(key_file);
  if (!key.ok()) return key.status();
  absl::StatusOr<CertificateAuthority> ca =
      CertificateAuthority::Load(*certificate, *key);
  if (!ca.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        certificate_file, " and ", key_file,
        " (site.ca_certificate_file, ca_key_file) are no CA with its key: ",
        ca.status().message()));
  }
  if (!VerifyIssuedBy(ca->cert_der(), ca->cert_der()).ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        certificate_file,
        " (site.ca_certificate_file) was issued by another CA; name one that "
        "signed itself, for nodes trust this certificate alone"));
  }
  return ca;
}

absl::StatusOr<SiteAuthority> SiteAuthority::Open(const Options& options) {
  absl::StatusOr<CertificateAuthority> ca =
      options.ca_certificate_file.empty()
          ? ReadOrMakeCa(options.state_directory)
          : LoadSiteCa(options.ca_certificate_file, options.ca_key_file);
  if (!ca.ok()) return ca.status();
  return SiteAuthority(options, *std::move(ca));
}

absl::StatusOr<IssuedCertificate> SiteAuthority::IssueNode(
    std::string_view node_id, const CsrInfo& request, absl::Time now) const {
  const absl::Status allowed = CheckClusterCsr(request);
  if (!allowed.ok()) return allowed;
  IssueSpec spec;
  spec.spki_der = request.spki_der;
  spec.uri_sans = {NodeUri(options_.cluster_id, node_id)};
  spec.client_auth = true;
  spec.not_before = now - kBackdated;
  spec.not_after = now + options_.node_certificate_lifetime;
  absl::StatusOr<std::string> der = ca_.Issue(spec);
  if (!der.ok()) return der.status();
  const absl::StatusOr<CertificateInfo> info = ParseCertificateDer(*der);
  if (!info.ok()) return info.status();
  return IssuedCertificate{*std::move(der), info->serial_hex, info->not_after};
}

absl::StatusOr<ServerCertificate> SiteAuthority::IssueServer(
    absl::Time now) const {
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.dns_sans = {kMasterName};
  spec.server_auth = true;
  spec.not_before = now - kBackdated;
  spec.not_after = now + options_.node_certificate_lifetime;
  const absl::StatusOr<std::string> der = ca_.Issue(spec);
  if (!der.ok()) return der.status();
  const absl::StatusOr<CertificateInfo> info = ParseCertificateDer(*der);
  if (!info.ok()) return info.status();
  absl::StatusOr<std::string> pem = CertificateDerToPem(*der);
  if (!pem.ok()) return pem.status();
  return ServerCertificate{*std::move(pem), key.ToPem(), info->not_before,
                           info->not_after};
}

}  // namespace mc::agent

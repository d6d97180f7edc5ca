#include "common/tls/credentials.h"

#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/crypto/certificate.h"
#include "common/files/files.h"

namespace mc {
namespace {

// Where Debian and Ubuntu, Fedora and RHEL, SUSE, Alpine keep their bundle.
constexpr const char* kSystemBundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

absl::Status Named(std::string_view name, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(absl::string_view(name.data(), name.size()),
                                   ": ", status.message()));
}

absl::Status CheckPair(std::string_view name, const std::string& chain_pem,
                       const std::string& key_pem) {
  absl::StatusOr<std::vector<std::string>> chain =
      CertificateChainPemToDer(chain_pem);
  if (!chain.ok()) return Named(name, chain.status());
  absl::Status matches = CheckKeyMatchesCertificate(chain_pem, key_pem);
  return matches.ok() ? matches : Named(name, matches);
}

absl::Status CheckRoots(std::string_view name, const std::string& pem) {
  absl::StatusOr<std::vector<std::string>> roots =
      CertificateChainPemToDer(pem);
  return roots.ok() ? absl::OkStatus() : Named(name, roots.status());
}

}  // namespace

absl::Status CheckValidity(const std::string& chain_pem, absl::Time now) {
  absl::StatusOr<CertificateInfo> info = ParseCertificatePem(chain_pem);
  if (!info.ok()) return info.status();
  if (now < info->not_before) {
    return absl::FailedPreconditionError(
        absl::StrCat("the certificate is not valid before ",
                     absl::FormatTime(info->not_before, absl::UTCTimeZone()),
                     "; check this machine's clock"));
  }
  if (now > info->not_after) {
    return absl::FailedPreconditionError(
        absl::StrCat("the certificate expired at ",
                     absl::FormatTime(info->not_after, absl::UTCTimeZone()),
                     "; put a new one in its place"));
  }
  return absl::OkStatus();
}

absl::Status CheckServerTls(const ServerTls& tls, const Clock& clock) {
  absl::Status checked =
      CheckPair("server certificate", tls.cert_chain_pem, tls.key_pem);
  if (!checked.ok()) return checked;
  checked = CheckValidity(tls.cert_chain_pem, clock.Now());
  if (!checked.ok()) return Named("server certificate", checked);
  if (tls.client_ca_pem.empty()) return absl::OkStatus();
  return CheckRoots("authority of client certificates", tls.client_ca_pem);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerTls& tls, const Clock& clock) {
  const absl::Status checked = CheckServerTls(tls, clock);
  if (!checked.ok()) return checked;
  grpc::SslServerCredentialsOptions options(
      tls.client_ca_pem.empty()
          ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls.client_ca_pem;
  options.pem_key_cert_pairs.push_back({tls.key_pem, tls.cert_chain_pem});
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeChannelCredentials(const ClientTls& tls) {
  grpc::SslCredentialsOptions options;
  if (tls.root_pem.empty()) {
    absl::StatusOr<std::string> roots = SystemRoots();
    if (!roots.ok()) return roots.status();
    options.pem_root_certs = *std::move(roots);
  } else {
    absl::Status checked =
        CheckRoots("authority of the server's certificate", tls.root_pem);
    if (!checked.ok()) return checked;
    options.pem_root_certs = tls.root_pem;
  }
  if (!tls.cert_chain_pem.empty() || !tls.key_pem.empty()) {
    absl::Status checked =
        CheckPair("client certificate", tls.cert_chain_pem, tls.key_pem);
    if (!checked.ok()) return checked;
    options.pem_cert_chain = tls.cert_chain_pem;
    options.pem_private_key = tls.key_pem;
  }
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::string> SystemRoots() {
  for (const char* path : kSystemBundles) {
    absl::StatusOr<std::string> pem = ReadFile(path);
    if (pem.ok() && !pem->empty()) return pem;
  }
  return absl::NotFoundError(
      "the system's CA certificates are in none of the usual places; install "
      "the package ca-certificates, or configure the server's authority");
}

}  // namespace mc

#include "common/tls/reloading_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <string>
#include <utility>

namespace mc {
namespace {

namespace tls_api = grpc::experimental;

// gRPC looks at the files this often, which is its minimum.
constexpr unsigned kRefreshSeconds = 1;

class Verifier : public tls_api::ExternalCertificateVerifier {
 public:
  explicit Verifier(PeerCheck check) : check_(std::move(check)) {}

  bool Verify(tls_api::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/,
              grpc::Status* sync_status) override {
    const grpc::string_ref pem = request->peer_cert();
    const absl::Status status =
        check_(std::string_view(pem.data(), pem.size()));
    if (!status.ok()) {
      *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                                  std::string(status.message()));
    }
    return true;
  }

  void Cancel(tls_api::TlsCustomVerificationCheckRequest*) override {}

 private:
  const PeerCheck check_;
};

// gRPC reads the first key, and every certificate.
std::string PairOf(const ServerTls& tls) {
  std::string pair = tls.key_pem;
  if (!pair.empty() && pair.back() != '\n') pair += '\n';
  return pair.append(tls.cert_chain_pem);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReloadingServerCredentials>>
ReloadingServerCredentials::Create(const ServerTls& tls, PeerCheck check,
                                   const Clock* clock) {
  absl::Status checked = CheckServerTls(tls, *clock);
  if (!checked.ok()) return checked;
  absl::StatusOr<std::unique_ptr<MemoryFile>> pair =
      MemoryFile::Create(PairOf(tls));
  if (!pair.ok()) return pair.status();
  absl::StatusOr<std::unique_ptr<MemoryFile>> roots(nullptr);
  if (!tls.client_ca_pem.empty()) {
    roots = MemoryFile::Create(tls.client_ca_pem);
    if (!roots.ok()) return roots.status();
  }
  const std::string roots_path = *roots == nullptr ? "" : (*roots)->path();
  tls_api::TlsServerCredentialsOptions options(
      std::make_shared<tls_api::FileWatcherCertificateProvider>(
          (*pair)->path(), (*pair)->path(), roots_path, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  options.set_check_call_host(false);
  if (!roots_path.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    if (check != nullptr) {
      options.set_certificate_verifier(
          tls_api::ExternalCertificateVerifier::Create<Verifier>(
              std::move(check)));
    }
  }
  std::unique_ptr<ReloadingServerCredentials> made(
      new ReloadingServerCredentials(*std::move(pair), *std::move(roots),
                                     clock));
  made->credentials_ = tls_api::TlsServerCredentials(options);
  return made;
}

ReloadingServerCredentials::ReloadingServerCredentials(
    std::unique_ptr<MemoryFile> pair, std::unique_ptr<MemoryFile> roots,
    const Clock* clock)
    : clock_(clock), pair_(std::move(pair)), roots_(std::move(roots)) {}

absl::Status ReloadingServerCredentials::Replace(const ServerTls& tls) {
  absl::Status status = CheckServerTls(tls, *clock_);
  if (!status.ok()) return status;
  if ((roots_ == nullptr) != tls.client_ca_pem.empty()) {
    return absl::FailedPreconditionError(
        "whether clients show certificates cannot change while the server "
        "runs");
  }
  absl::MutexLock lock(&mutex_);
  status = pair_->Replace(PairOf(tls));
  if (status.ok() && roots_ != nullptr) {
    status = roots_->Replace(tls.client_ca_pem);
  }
  return status;
}

}  // namespace mc

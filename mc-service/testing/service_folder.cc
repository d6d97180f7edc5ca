#include "mc-service/testing/service_folder.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "mc-service/cli/init.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::service::testing {
namespace {

constexpr char kTrustDomain[] = "test.example";

// Ends the test program where the arrangement itself fails.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status() << "\n";
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

ServiceFolder::ServiceFolder() : state_(folder_.File("service")) {
  InitOptions options;
  options.directory = state_.directory();
  options.server_names = DefaultServerNames();
  options.trust_domain = kTrustDomain;
  options.free_ports = true;
  options.clock = &clock_;
  const absl::Status status = Init(options);
  if (!status.ok()) Must<int>(status);
}

Configuration ServiceFolder::Load() const {
  return Must(LoadConfiguration(state_.ConfigFile()));
}

absl::Status ServiceFolder::Write(Store::WriteWork work) const {
  SqliteOptions options;
  options.path = state_.StoreFile();
  options.clock = &clock_;
  auto store = Must(OpenSqliteStore(std::move(options)));
  absl::Status status = store->WriteAndWait(std::move(work));
  store->Stop();
  return status;
}

ClientIdentity ServiceFolder::Admin() const {
  return {Must(ReadFile(state_.Admin().certificate)),
          Must(ReadFile(state_.Admin().key))};
}

ClientIdentity ServiceFolder::Operator(std::string_view name) const {
  return Issue(state_.OperatorCa(),
               absl::StrCat("spiffe://", kTrustDomain, "/operator/",
                            absl::string_view(name.data(), name.size())));
}

ClientIdentity ServiceFolder::Cluster(std::string_view id) const {
  return Issue(state_.ClusterCa(),
               absl::StrCat("spiffe://", kTrustDomain, "/cluster/",
                            absl::string_view(id.data(), id.size())));
}

ClientIdentity ServiceFolder::Issue(const CertificateFiles& files,
                                    std::string_view uri) const {
  const auto ca = Must(CertificateAuthority::Load(
      Must(ReadFile(files.certificate)), Must(ReadFile(files.key))));
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.uri_sans = {std::string(uri)};
  spec.client_auth = true;
  spec.not_before = clock_.Now() - absl::Minutes(5);
  spec.not_after = clock_.Now() + absl::Hours(1);
  return {Must(CertificateDerToPem(Must(ca.Issue(spec)))), key.ToPem()};
}

std::shared_ptr<grpc::Channel> ServiceFolder::Connect(
    int port, const ClientIdentity* identity) const {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = Must(ReadFile(state_.ServerCa().certificate));
  if (identity != nullptr) {
    options.pem_cert_chain = identity->certificate;
    options.pem_private_key = identity->key;
  }
  return grpc::CreateChannel(absl::StrCat("localhost:", port),
                             grpc::SslCredentials(options));
}

}  // namespace mc::service::testing

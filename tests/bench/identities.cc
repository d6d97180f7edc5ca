#include "tests/bench/identities.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"
#include "common/tls/identity.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/cli/state_layout.h"
#include "mc-service/store/sqlite/sqlite_store.h"

namespace mc::bench {
namespace {

namespace v1 = missioncontrol::v1;
using service::Cluster;
using service::Release;
using service::Store;
using service::Writer;

// Each license is an account's only one.
constexpr int kClustersOfLicense = 10;
constexpr absl::Duration kLifetime = absl::Hours(24);
constexpr int kRowsOfOneWork = 5000;

std::string ClusterId(int index) {
  return absl::StrFormat("00000000-0000-4000-8000-%012x", index);
}

// The chain and the key follow each other in PEM.
constexpr std::string_view kEndOfKey = "-----END PRIVATE KEY-----\n";
constexpr std::string_view kEndOfCertificate = "-----END CERTIFICATE-----\n";

absl::StatusOr<CertificateAuthority> ClusterAuthority(
    const service::StateLayout& state) {
  const service::CertificateFiles files = state.ClusterCa();
  const absl::StatusOr<std::string> certificate = ReadFile(files.certificate);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key = ReadPrivateFile(files.key);
  if (!key.ok()) return key.status();
  return CertificateAuthority::Load(*certificate, *key);
}

// Issues the certificate, adds it to `pem`, and returns the digest of its key.
absl::StatusOr<std::string> Issue(const CertificateAuthority& authority,
                                  const std::string& trust_domain,
                                  const std::string& cluster_id, absl::Time now,
                                  std::string& pem) {
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.uri_sans = {ClusterSpiffeId(trust_domain, cluster_id)};
  spec.client_auth = true;
  spec.not_before = now - absl::Minutes(5);
  spec.not_after = now + kLifetime;
  const absl::StatusOr<std::string> der = authority.Issue(spec);
  if (!der.ok()) return der.status();
  const absl::StatusOr<CertificateInfo> info = ParseCertificateDer(*der);
  if (!info.ok()) return info.status();
  const absl::StatusOr<std::string> certificate = CertificateDerToPem(*der);
  if (!certificate.ok()) return certificate.status();
  pem += *certificate;
  pem += key.ToPem();
  return info->spki_sha256;
}

std::string LicenseId(int cluster) {
  return absl::StrCat("bench-license-", cluster / kClustersOfLicense);
}

// An account with the license of this cluster and those after it.
absl::Status InsertLicense(Writer& writer, int cluster, absl::Time now) {
  service::License license;
  license.id = LicenseId(cluster);
  license.account_id = absl::StrCat(license.id, "-account");
  license.name = license.id;
  license.key_digest = absl::StrFormat("%032d", cluster);
  license.key_hint = "ABCD";
  license.created_at = now;
  license.starts_at = now - absl::Hours(1);
  license.limits.set_reset(v1::QUOTA_RESET_MONTHLY);
  absl::Status status = writer.InsertAccount(
      {.id = license.account_id, .name = license.name, .created_at = now});
  return status.ok() ? writer.InsertLicense(license) : status;
}

Cluster MakeCluster(int index, std::string tls_key_digest, absl::Time now) {
  Cluster cluster;
  cluster.id = ClusterId(index);
  cluster.license_id = LicenseId(index);
  cluster.registered_at = now;
  cluster.user_name = absl::StrCat("cluster-", cluster.id);
  cluster.password_digest = std::string(32, 'p');
  cluster.tls_key_digest = std::move(tls_key_digest);
  cluster.site_public_key = std::string(32, 's');
  cluster.certificate_serial = absl::StrCat(absl::Hex(index + 1));
  cluster.certificate_not_after = now + kLifetime;
  return cluster;
}

Release MakeRelease(int index, const DocumentSigner& signer, absl::Time now) {
  Release release;
  release.id = absl::StrCat("bench-release-", index);
  release.created_at = now;
  v1::ReleaseDocument& document = release.document;
  document.set_kind(v1::DOCUMENT_KIND_RELEASE);
  document.set_component(v1::COMPONENT_ONE_AGENT);
  document.set_label("stable");
  document.set_version(absl::StrCat("1.", index, ".0"));
  *document.mutable_announced_at() = ToProto(now - absl::Hours(1));
  release.signed_document = signer.Sign(document);
  return release;
}

absl::Status InsertReleases(const service::StateLayout& state, int count,
                            absl::Time now, Store& store) {
  const absl::StatusOr<std::string> pem =
      ReadPrivateFile(state.DocumentKeyFile());
  if (!pem.ok()) return pem.status();
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
  if (!key.ok()) return key.status();
  const absl::StatusOr<DocumentSigner> signer =
      DocumentSigner::Create(*std::move(key));
  if (!signer.ok()) return signer.status();
  return store.WriteAndWait([&](Writer& writer) -> absl::Status {
    for (int i = 0; i < count; ++i) {
      absl::Status s = writer.InsertRelease(MakeRelease(i, *signer, now));
      if (!s.ok()) return s;
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status SeedService(const SeedOptions& options, const std::string& file,
                         const Clock& clock) {
  const service::StateLayout state(options.directory);
  const auto configuration = service::LoadConfiguration(state.ConfigFile());
  if (!configuration.ok()) return configuration.status();
  const absl::StatusOr<CertificateAuthority> authority =
      ClusterAuthority(state);
  if (!authority.ok()) return authority.status();
  service::SqliteOptions sqlite;
  sqlite.path = state.StoreFile();
  sqlite.clock = &clock;
  const auto store = service::OpenSqliteStore(std::move(sqlite));
  if (!store.ok()) return store.status();

  const absl::Time now = clock.Now();
  absl::Status status;
  std::string pem;
  for (int first = 0; status.ok() && first < options.clusters;
       first += kRowsOfOneWork) {
    const int end = std::min(first + kRowsOfOneWork, options.clusters);
    status = (*store)->WriteAndWait([&](Writer& writer) -> absl::Status {
      for (int i = first; i < end; ++i) {
        std::string digest(32, 't');
        if (i < options.identities) {
          absl::StatusOr<std::string> issued =
              Issue(*authority, configuration->values.trust_domain(),
                    ClusterId(i), now, pem);
          if (!issued.ok()) return issued.status();
          digest = *std::move(issued);
        }
        absl::Status put = i % kClustersOfLicense == 0
                               ? InsertLicense(writer, i, now)
                               : absl::OkStatus();
        put.Update(writer.PutCluster(MakeCluster(i, std::move(digest), now)));
        if (!put.ok()) return put;
      }
      return absl::OkStatus();
    });
  }
  if (status.ok()) {
    status = InsertReleases(state, options.releases, now, **store);
  }
  (*store)->Stop();
  if (!status.ok()) return status;
  return AtomicWrite(file, pem, 0600);
}

absl::StatusOr<std::vector<Identity>> ReadIdentities(const std::string& file,
                                                     size_t count) {
  // Larger than any file that the programs read.
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  std::vector<Identity> identities;
  std::string_view rest = text;
  while (identities.size() < count) {
    const size_t key = rest.find(kEndOfCertificate);
    const size_t end = rest.find(kEndOfKey);
    if (key == std::string_view::npos || end == std::string_view::npos) {
      return absl::OutOfRangeError(
          absl::StrCat(file, " has only ", identities.size(),
                       " identities; seed the service with more."));
    }
    const size_t begin_of_key = key + kEndOfCertificate.size();
    const size_t end_of_key = end + kEndOfKey.size();
    identities.push_back(
        {ClusterId(static_cast<int>(identities.size())),
         std::string(rest.substr(0, begin_of_key)),
         std::string(rest.substr(begin_of_key, end_of_key - begin_of_key))});
    rest.remove_prefix(end_of_key);
  }
  return identities;
}

}  // namespace mc::bench

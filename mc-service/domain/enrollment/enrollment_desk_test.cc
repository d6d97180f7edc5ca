#include "mc-service/domain/enrollment/enrollment_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/enrollment/fixture.h"
#include "mc-service/domain/updates/release.h"

namespace mc::service {
namespace {

TEST_F(EnrollmentTest, InstallTellsWhatTheKeyIsFor) {
  v1::InstallRequest request;
  request.set_license_key(license_key_);
  const auto answer = desk_.Install(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->account_name(), "Example");
  EXPECT_EQ(answer->license_name(), "production");
  EXPECT_FALSE(answer->one_agent_installation());
  EXPECT_FALSE(answer->has_one_agent());
}

TEST_F(EnrollmentTest, InstallOffersOneAgentOnlyWhereTheLicenseIncludesIt) {
  const ReleaseDesk releases(
      {.store = &store_, .signer = &signer_, .clock = &clock_});
  v1::CreateReleaseRequest release;
  release.set_component(v1::COMPONENT_ONE_AGENT);
  release.set_label("stable");
  release.set_version("1.2");
  v1::Artifact& artifact = *release.add_artifacts();
  artifact.set_download_url("https://downloads.example/one-agent");
  artifact.set_size_bytes(9);
  artifact.set_sha256(std::string(32, 'x'));

  v1::InstallRequest with;
  with.set_license_key(AddLicense(
      "full", [](License& license) { license.one_agent_installation = true; }));
  auto answer = desk_.Install(with);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->one_agent_installation());
  EXPECT_FALSE(answer->has_one_agent()) << "none is released";

  const auto created = releases.Create(release);
  ASSERT_TRUE(created.ok()) << created.status();
  answer = desk_.Install(with);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->one_agent().download_url(), artifact.download_url());
  const v1::DocumentKey keys[] = {signer_.document_key()};
  const auto document = VerifyDocument<v1::ReleaseDocument>(
      answer->signed_one_agent_release(), keys, v1::DOCUMENT_KIND_RELEASE);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->version(), "1.2");

  v1::InstallRequest without;
  without.set_license_key(license_key_);
  EXPECT_FALSE(desk_.Install(without)->has_one_agent());
}

TEST_F(EnrollmentTest, KeysThatCannotBeUsedAreRefused) {
  const auto in_state = [](v1::LicenseState state) {
    return [state](License& license) { license.state = state; };
  };
  struct Case {
    std::string key;
    absl::StatusCode code;
    v1::ErrorReason reason;
  };
  const Case cases[] = {
      {"", kInvalid, v1::ERROR_REASON_LICENSE_KEY_MALFORMED},
      {"letmein", kInvalid, v1::ERROR_REASON_LICENSE_KEY_MALFORMED},
      {GenerateLicenseKey(), absl::StatusCode::kNotFound,
       v1::ERROR_REASON_LICENSE_KEY_UNKNOWN},
      {AddLicense("suspended", in_state(v1::LICENSE_STATE_SUSPENDED)),
       kPrecondition, v1::ERROR_REASON_LICENSE_SUSPENDED},
      {AddLicense("revoked", in_state(v1::LICENSE_STATE_REVOKED)),
       kPrecondition, v1::ERROR_REASON_LICENSE_REVOKED},
      {AddLicense("expired",
                  [&](License& license) { license.ends_at = clock_.Now(); }),
       kPrecondition, v1::ERROR_REASON_LICENSE_EXPIRED},
      {AddLicense("early",
                  [&](License& license) {
                    license.starts_at = clock_.Now() + absl::Seconds(1);
                  }),
       kPrecondition, v1::ERROR_REASON_LICENSE_NOT_STARTED},
  };
  const Site site;
  for (const Case& c : cases) {
    ExpectRefused(site.Request(c.key), c.code, c.reason);
    v1::InstallRequest install;
    install.set_license_key(c.key);
    const absl::Status status = desk_.Install(install).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_EQ(ReasonOf(status), c.reason) << status;
  }
  EXPECT_EQ(ReasonOf(directory_.CheckRegistered(site.cluster_id)),
            v1::ERROR_REASON_IDENTITY_UNKNOWN)
      << "no row is left";
}

TEST_F(EnrollmentTest, RegistrationCertifiesTheClustersKey) {
  const Site site;
  const v1::RegisterResponse answer = Register(site);
  EXPECT_EQ(answer.status(), v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(answer.user_name(), "cluster-" + site.cluster_id);
  const auto certificate = ParseCertificateDer(answer.cluster_certificate());
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_THAT(
      certificate->uri_sans,
      testing::ElementsAre("spiffe://test.example/cluster/" + site.cluster_id));
  EXPECT_FALSE(certificate->is_ca);
  EXPECT_EQ(certificate->spki_sha256, Sha256(site.tls_key.PublicSpkiDer()));
  const absl::Time second =
      absl::FromUnixSeconds(absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(certificate->not_before, second - absl::Minutes(5));
  EXPECT_EQ(certificate->not_after, second + absl::Hours(24 * 30));
  ASSERT_EQ(answer.ca_chain_size(), 1);
  EXPECT_TRUE(
      VerifyIssuedBy(answer.cluster_certificate(), answer.ca_chain(0)).ok());
  ASSERT_EQ(answer.document_keys_size(), 1);
  EXPECT_EQ(answer.document_keys(0).public_key(), signer_.public_key());

  const Cluster row = Stored(site.cluster_id);
  EXPECT_EQ(row.license_id, "lic-production");
  EXPECT_EQ(row.registration, v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(row.user_name, answer.user_name());
  EXPECT_EQ(row.tls_key_digest, certificate->spki_sha256);
  EXPECT_EQ(row.site_public_key, site.site_key.Ed25519Public());
  EXPECT_EQ(row.certificate_serial, certificate->serial_hex);
  EXPECT_EQ(row.certificate_not_after, certificate->not_after);
  EXPECT_TRUE(directory_.CheckRegistered(site.cluster_id).ok());
}

TEST_F(EnrollmentTest, PasswordHas256BitsAndOnlyItsDigestIsKept) {
  const Site site;
  const std::string password = Register(site).password();
  EXPECT_EQ(password.size(), 43u) << "32 bytes in base64url";
  EXPECT_EQ(Stored(site.cluster_id).password_digest, Sha256(password));
}

TEST_F(EnrollmentTest, SameKeysAreTheSameRegistrationWithFreshSecrets) {
  const Site site;
  const v1::RegisterResponse first = Register(site);
  const Cluster before = Stored(site.cluster_id);
  clock_.Advance(absl::Hours(1));
  const v1::RegisterResponse again = Register(site);
  const Cluster after = Stored(site.cluster_id);
  EXPECT_EQ(CountClusters(), 1);
  EXPECT_EQ(again.user_name(), first.user_name());
  EXPECT_EQ(after.registered_at, before.registered_at);
  EXPECT_NE(again.password(), first.password());
  EXPECT_EQ(after.password_digest, Sha256(again.password()));
  EXPECT_NE(after.certificate_serial, before.certificate_serial);
  EXPECT_GT(after.certificate_not_after, before.certificate_not_after);
}

TEST_F(EnrollmentTest, OtherKeysNeedAReopenedRegistration) {
  const Site site;
  Register(site);
  const Site other;
  v1::RegisterRequest other_tls_key = site.Request(license_key_);
  other_tls_key.set_certificate_signing_request(BuildCsrDer(other.tls_key));
  v1::RegisterRequest other_site_key = site.Request(license_key_);
  other_site_key.set_site_public_key(other.site_key.Ed25519Public());
  for (const auto& request : {other_tls_key, other_site_key}) {
    ExpectRefused(request, absl::StatusCode::kAlreadyExists,
                  v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED);
  }

  SetRegistration(site, v1::REGISTRATION_STATUS_REOPENED);
  const auto taken_over = desk_.Register(other_tls_key);
  ASSERT_TRUE(taken_over.ok()) << taken_over.status();
  EXPECT_EQ(taken_over->status(), v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(Stored(site.cluster_id).tls_key_digest,
            Sha256(other.tls_key.PublicSpkiDer()));
  EXPECT_EQ(CountClusters(), 1);
  ExpectRefused(site.Request(license_key_), absl::StatusCode::kAlreadyExists,
                v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED);
}

TEST_F(EnrollmentTest, ReopenedRegistrationClosesWithItsOwnKeysToo) {
  const Site site;
  Register(site);
  SetRegistration(site, v1::REGISTRATION_STATUS_REOPENED);
  EXPECT_EQ(Register(site).status(), v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(Stored(site.cluster_id).registration,
            v1::REGISTRATION_STATUS_REGISTERED);
}

TEST_F(EnrollmentTest, LicenseLimitsNewClustersOnly) {
  license_key_ = AddLicense(
      "two", [](License& license) { license.limits.set_clusters(2); });
  const Site sites[3];
  Register(sites[0]);
  Register(sites[1]);
  ExpectRefused(sites[2].Request(license_key_), kPrecondition,
                v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT);
  Register(sites[0]);
  SetRegistration(sites[0], v1::REGISTRATION_STATUS_REVOKED);
  Register(sites[2]);
  EXPECT_EQ(CountClusters("lic-two"), 2);
}

TEST_F(EnrollmentTest, OfTwoAtTheSameMomentExactlyOneGetsTheLastPlace) {
  license_key_ = AddLicense(
      "one", [](License& license) { license.limits.set_clusters(1); });
  constexpr int kRivals = 8;
  const Site sites[kRivals];
  absl::Status outcomes[kRivals];
  std::vector<std::thread> threads;
  for (int i = 0; i < kRivals; ++i) {
    threads.emplace_back([&, i] {
      outcomes[i] = desk_.Register(sites[i].Request(license_key_)).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  int winners = 0;
  for (const absl::Status& outcome : outcomes) {
    if (outcome.ok()) {
      ++winners;
    } else {
      EXPECT_EQ(ReasonOf(outcome), v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT)
          << outcome;
    }
  }
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(CountClusters("lic-one"), 1);
}

TEST_F(EnrollmentTest, RevokedClusterStaysOut) {
  const Site site;
  Register(site);
  SetRegistration(site, v1::REGISTRATION_STATUS_REVOKED);
  ExpectRefused(site.Request(license_key_), absl::StatusCode::kPermissionDenied,
                v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(EnrollmentTest, ClusterBelongsToTheLicenseItWasRegisteredWith) {
  const Site site;
  Register(site);
  const std::string other = AddLicense("other");
  for (const auto registration :
       {v1::REGISTRATION_STATUS_REGISTERED, v1::REGISTRATION_STATUS_REOPENED,
        v1::REGISTRATION_STATUS_REVOKED}) {
    SetRegistration(site, registration);
    ExpectRefused(site.Request(other), absl::StatusCode::kAlreadyExists,
                  v1::ERROR_REASON_CLUSTER_ALREADY_REGISTERED);
  }
}

TEST_F(EnrollmentTest, IdentityMustBeWellFormed) {
  const Site site;
  const std::string upper = absl::AsciiStrToUpper(site.cluster_id);
  for (const std::string& id : {std::string(), std::string("cluster-1"), upper,
                                site.cluster_id + "0"}) {
    v1::RegisterRequest request = site.Request(license_key_);
    request.set_cluster_id(id);
    ExpectRefused(request, kInvalid, v1::ERROR_REASON_INVALID_FIELD);
  }
  for (const size_t size : {0, 31, 33}) {
    v1::RegisterRequest request = site.Request(license_key_);
    request.set_site_public_key(std::string(size, 'x'));
    ExpectRefused(request, kInvalid, v1::ERROR_REASON_INVALID_FIELD);
  }
  EXPECT_EQ(CountClusters(), 0);
}

TEST_F(EnrollmentTest, RequestMustProveItsKey) {
  const Site site;
  v1::RegisterRequest request = site.Request(license_key_);
  std::string& csr = *request.mutable_certificate_signing_request();
  csr.back() = static_cast<char>(csr.back() ^ 1);
  ExpectRefused(request, kInvalid, v1::ERROR_REASON_CSR_MALFORMED);
  csr.clear();
  ExpectRefused(request, kInvalid, v1::ERROR_REASON_CSR_MALFORMED);
  csr = BuildCsrDer(site.site_key);
  ExpectRefused(request, kInvalid, v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
  EXPECT_EQ(CountClusters(), 0);
}

TEST_F(EnrollmentTest, StoreThatStopsAnswersNobody) {
  store_.Stop();
  const absl::Status status =
      desk_.Register(Site().Request(license_key_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

}  // namespace
}  // namespace mc::service

// A desk on a store in memory, with a license and sites that want to register.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_FIXTURE_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "common/crypto/authority.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {

// A cluster that wants to be registered.
struct Site {
  std::string cluster_id = RandomUuid();
  PrivateKey tls_key = PrivateKey::GenerateP256();
  PrivateKey site_key = PrivateKey::GenerateEd25519();

  v1::RegisterRequest Request(const std::string& license_key) const {
    v1::RegisterRequest request;
    request.set_license_key(license_key);
    request.set_cluster_id(cluster_id);
    request.set_certificate_signing_request(BuildCsrDer(tls_key));
    request.set_site_public_key(site_key.Ed25519Public());
    return request;
  }
};

class EnrollmentTest : public testing::Test {
 protected:
  EnrollmentTest() {
    Write([&](Writer& writer) {
      return writer.InsertAccount({"acc-1", "Example", clock_.Now()});
    });
    license_key_ = AddLicense("production");
  }

  void Write(Store::WriteWork work) {
    const absl::Status written = store_.WriteAndWait(std::move(work));
    EXPECT_TRUE(written.ok()) << written;
  }

  // Returns the key of a license that ends in 90 days.
  std::string AddLicense(const std::string& name,
                         std::function<void(License&)> change = nullptr) {
    const std::string key = GenerateLicenseKey();
    License license;
    license.id = "lic-" + name;
    license.account_id = "acc-1";
    license.name = name;
    license.key_digest = LicenseKeyDigest(key);
    license.key_hint = LicenseKeyLastGroup(key);
    license.created_at = license.starts_at = clock_.Now();
    license.ends_at = clock_.Now() + absl::Hours(24 * 90);
    if (change) change(license);
    Write([&](Writer& writer) { return writer.InsertLicense(license); });
    return key;
  }

  Cluster Stored(const std::string& cluster_id) {
    Cluster cluster;
    const absl::Status read = store_.Read([&](Reader& reader) {
      auto found = reader.GetCluster(cluster_id);
      if (found.ok()) cluster = *std::move(found);
      return found.status();
    });
    EXPECT_TRUE(read.ok()) << read;
    return cluster;
  }

  void SetRegistration(const Site& site, v1::RegistrationStatus registration) {
    Cluster cluster = Stored(site.cluster_id);
    cluster.registration = registration;
    Write([&](Writer& writer) { return writer.PutCluster(cluster); });
  }

  int64_t CountClusters(std::string_view license_id = "lic-production") {
    int64_t count = -1;
    const absl::Status read = store_.Read([&](Reader& reader) {
      const auto counted = reader.CountClusters(license_id);
      if (counted.ok()) count = *counted;
      return counted.status();
    });
    EXPECT_TRUE(read.ok()) << read;
    return count;
  }

  v1::RegisterResponse Register(const Site& site) {
    auto answer = desk_.Register(site.Request(license_key_));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *std::move(answer) : v1::RegisterResponse();
  }

  void ExpectRefused(const v1::RegisterRequest& request, absl::StatusCode code,
                     v1::ErrorReason reason) {
    const absl::Status status = desk_.Register(request).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), reason) << status;
    if (!request.license_key().empty()) {
      EXPECT_THAT(status.ToString(),
                  testing::Not(testing::HasSubstr(request.license_key())));
    }
  }

  static constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  static constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800) +
                        absl::Milliseconds(250)};
  FakeStore store_;
  ClusterDirectory directory_{{.store = &store_, .clock = &clock_}};
  const CertificateAuthority authority_ =
      *CertificateAuthority::Create("Clusters", clock_.Now() - absl::Hours(1),
                                    clock_.Now() + absl::Hours(24 * 3650));
  const DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  const EnrollmentDesk desk_{{.store = &store_,
                              .directory = &directory_,
                              .authority = &authority_,
                              .signer = &signer_,
                              .clock = &clock_,
                              .trust_domain = "test.example",
                              .certificate_lifetime = absl::Hours(24 * 30)}};
  std::string license_key_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_FIXTURE_H_

// A registered cluster, and an agent that keeps its identity in two phases, for
// tests of renewal and recovery.
#ifndef MC_SERVICE_DOMAIN_ENROLLMENT_RENEWAL_FIXTURE_H_
#define MC_SERVICE_DOMAIN_ENROLLMENT_RENEWAL_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/crypto/license_key.h"
#include "common/crypto/possession.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
#include "mc-service/domain/testing/held_store.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {

// A certified key and the password that came with it. A copy is what a copy of
// the disk would have.
struct HeldIdentity {
  std::string key_pem;
  std::string certificate;
  std::string password;

  PrivateKey key() const { return *PrivateKey::FromPem(key_pem); }
  std::string digest() const { return Sha256(key().PublicSpkiDer()); }
  absl::Time not_after() const {
    return ParseCertificateDer(certificate)->not_after;
  }
};

class RenewalTest : public testing::Test {
 protected:
  RenewalTest() {
    const absl::Status seeded = store_.WriteAndWait([&](Writer& writer) {
      absl::Status done =
          writer.InsertAccount({"acc-1", "Example", clock_.Now()});
      License license;
      license.id = "lic-1";
      license.account_id = "acc-1";
      license.name = "production";
      license.key_digest = LicenseKeyDigest(license_key_);
      license.key_hint = LicenseKeyLastGroup(license_key_);
      license.created_at = license.starts_at = clock_.Now();
      license.ends_at = clock_.Now() + absl::Hours(24 * 3650);
      done.Update(writer.InsertLicense(license));
      return done;
    });
    EXPECT_TRUE(seeded.ok()) << seeded;
  }

  static PrivateKey NewKey() { return PrivateKey::GenerateP256(); }

  // Registers with a new key.
  HeldIdentity Register() {
    const PrivateKey key = NewKey();
    v1::RegisterRequest request;
    request.set_license_key(license_key_);
    request.set_cluster_id(cluster_id_);
    request.set_certificate_signing_request(BuildCsrDer(key));
    request.set_site_public_key(site_key_.Ed25519Public());
    const auto answer = enrollment_.Register(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    if (!answer.ok()) return {};
    return {key.ToPem(), answer->cluster_certificate(), answer->password()};
  }

  // What the guard does at each call.
  absl::Status Call(const HeldIdentity& with) {
    if (with.not_after() < clock_.Now()) {
      return Error(absl::StatusCode::kPermissionDenied,
                   v1::ERROR_REASON_MUST_RECOVER, "expired");
    }
    const auto cluster = directory_.Registered(cluster_id_);
    if (!cluster.ok()) return cluster.status();
    const std::string digest = with.digest();
    if ((*cluster)->tls_key_digest == digest) return absl::OkStatus();
    const std::string serial =
        ParseCertificateDer(with.certificate)->serial_hex;
    return desk_.Admit({cluster_id_, digest, serial, with.not_after()});
  }

  absl::StatusOr<HeldIdentity> Renew(const HeldIdentity& with,
                                     const PrivateKey& key,
                                     const std::string& instance = "") {
    if (absl::Status called = Call(with); !called.ok()) return called;
    v1::RenewCertificateRequest request;
    request.set_certificate_signing_request(BuildCsrDer(key));
    request.set_agent_instance_id(instance);
    auto answer = desk_.Renew(cluster_id_, with.digest(), request);
    if (!answer.ok()) return answer.status();
    return HeldIdentity{key.ToPem(), answer->cluster_certificate(),
                        answer->password()};
  }

  v1::RecoverCertificateRequest Recovery(const HeldIdentity& with,
                                         const PrivateKey& key,
                                         bool proof) const {
    v1::RecoverCertificateRequest request;
    request.set_user_name("cluster-" + cluster_id_);
    request.set_password(with.password);
    request.set_certificate_signing_request(BuildCsrDer(key));
    if (proof) {
      request.set_previous_certificate(with.certificate);
      request.set_previous_key_signature(
          ProvePossession(with.key(), request.certificate_signing_request()));
    }
    return request;
  }

  absl::StatusOr<HeldIdentity> Recover(const HeldIdentity& with,
                                       const PrivateKey& key,
                                       bool proof = true) {
    auto answer = desk_.Recover(Recovery(with, key, proof));
    if (!answer.ok()) return answer.status();
    return HeldIdentity{key.ToPem(), answer->cluster_certificate(),
                        answer->password()};
  }

  ClusterOverview Stored() {
    ClusterOverview overview;
    const absl::Status read = store_.Read([&](Reader& reader) {
      auto found = reader.GetClusterOverview(cluster_id_);
      if (found.ok()) overview = *std::move(found);
      return found.status();
    });
    EXPECT_TRUE(read.ok()) << read;
    return overview;
  }

  void SetRegistration(v1::RegistrationStatus registration) {
    Cluster cluster = Stored().cluster;
    cluster.registration = registration;
    const absl::Status put = store_.WriteAndWait(
        [&](Writer& writer) { return writer.PutCluster(cluster); });
    EXPECT_TRUE(put.ok()) << put;
    directory_.Invalidate(cluster_id_);
  }

  RenewalDesk::Options DeskOptions(int recoveries_per_hour) {
    RenewalDesk::Options options;
    options.store = &store_;
    options.directory = &directory_;
    options.clock = &clock_;
    options.rules = {.authority = &authority_,
                     .trust_domain = "test.example",
                     .lifetime = kLifetime};
    options.recoveries_per_hour = recoveries_per_hour;
    options.on_clone = [this](std::string_view,
                              const std::vector<std::string>& agents) {
      ++clones_;
      clone_agents_ = agents;
    };
    options.on_adopted = [this](std::string_view) { ++adoptions_; };
    options.on_refused = [this] { ++refused_; };
    return options;
  }

  static constexpr absl::Duration kLifetime = absl::Hours(24 * 30);

  const std::string cluster_id_ = RandomUuid();
  const std::string license_key_ = GenerateLicenseKey();
  const PrivateKey site_key_ = PrivateKey::GenerateEd25519();
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  FakeStore fake_;
  HeldStore store_{&fake_};
  ClusterDirectory directory_{{.store = &store_, .clock = &clock_}};
  const CertificateAuthority authority_ =
      *CertificateAuthority::Create("Clusters", clock_.Now() - absl::Hours(1),
                                    clock_.Now() + absl::Hours(24 * 3650));
  const DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  const EnrollmentDesk enrollment_{{.store = &store_,
                                    .directory = &directory_,
                                    .authority = &authority_,
                                    .signer = &signer_,
                                    .clock = &clock_,
                                    .trust_domain = "test.example",
                                    .certificate_lifetime = kLifetime}};
  int clones_ = 0;
  std::vector<std::string> clone_agents_;
  int adoptions_ = 0;
  int refused_ = 0;
  RenewalDesk desk_{DeskOptions(1000)};
};

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_ENROLLMENT_RENEWAL_FIXTURE_H_

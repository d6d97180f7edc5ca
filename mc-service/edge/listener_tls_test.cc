#include "mc-service/edge/listener_tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/time/clock.h"
#include "mc-service/testing/service_folder.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ServiceFolder;

class ListenerTlsTest : public ::testing::Test {
 protected:
  ListenerTlsTest()
      : configuration_(folder_.Load()),
        tls_({.state = folder_.state(),
              .trust_domain = "test.example",
              .identities = &identities_,
              .revoked = [](std::string_view) { return false; },
              .clock = &clock_,
              .metrics = &metrics_}) {}

  absl::Status Add(Listener listener) {
    const config::Listeners& all = configuration_.values.listeners();
    return tls_
        .Add(listener,
             listener == Listener::kCluster ? all.cluster() : all.enrollment())
        .status();
  }
  const StateLayout& state() const { return folder_.state(); }

  RealClock clock_;
  ServiceFolder folder_;
  const Configuration configuration_;
  Metrics metrics_;
  PeerIdentityCache identities_;
  ListenerTls tls_;
};

TEST_F(ListenerTlsTest, NothingHappensWhileNothingChanges) {
  ASSERT_TRUE(Add(Listener::kCluster).ok());
  tls_.Poll();
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("reloads_total{")));
}

TEST_F(ListenerTlsTest, BrokenPairIsCountedOnceAndNotUsed) {
  ASSERT_TRUE(Add(Listener::kEnrollment).ok());
  const std::string key_file = state().ServerCertificate().key;
  const std::string good = *ReadFile(key_file);
  ASSERT_TRUE(
      AtomicWrite(key_file, PrivateKey::GenerateP256().ToPem(), 0600).ok());
  // It may be the first half of a change.
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("refused\"} 1")));
  tls_.Poll();
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("mission_control_certificate_reloads_total{listener="
                        "\"enrollment\",result=\"refused\"} 1"));
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("mission_control_certificate_files_refused{listener="
                        "\"enrollment\"} 1"));
  ASSERT_TRUE(AtomicWrite(key_file, good, 0600).ok());
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("mission_control_certificate_files_refused{listener="
                        "\"enrollment\"} 0"));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("result=\"used\"")));
}

TEST_F(ListenerTlsTest, MissingFileLeavesWhatIsUsed) {
  ASSERT_TRUE(Add(Listener::kEnrollment).ok());
  ASSERT_EQ(std::remove(state().ServerCertificate().certificate.c_str()), 0);
  tls_.Poll();
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("mission_control_certificate_files_refused{listener="
                        "\"enrollment\"} 1"));
}

TEST_F(ListenerTlsTest, NewCertificateIsUsedAndItsEndShown) {
  ASSERT_TRUE(Add(Listener::kEnrollment).ok());
  const std::string before = metrics_.Text();
  EXPECT_THAT(before, HasSubstr("certificate_not_after_seconds{certificate="
                                "\"enrollment listener\"}"));
  auto authority = LoadAuthority(state(), AuthorityKind::kServer);
  ASSERT_TRUE(authority.ok());
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.dns_sans = {"localhost"};
  spec.server_auth = true;
  spec.not_before = clock_.Now() - absl::Hours(1);
  spec.not_after = absl::FromUnixSeconds(1'999'999'999);
  const CertificateFiles files = state().ServerCertificate();
  ASSERT_TRUE(AtomicWrite(files.key, key.ToPem(), 0600).ok());
  ASSERT_TRUE(AtomicWrite(files.certificate,
                          *CertificateDerToPem(*authority->Issue(spec)), 0600)
                  .ok());
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(), HasSubstr("\"enrollment\",result=\"used\"} 1"));
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("certificate_not_after_seconds{certificate="
                        "\"enrollment listener\"} 1999999999"));
}

// A certificate of the new one is known to the listeners when there is one.
TEST_F(ListenerTlsTest, AuthorityIssuesALookAfterItIsTrusted) {
  ASSERT_TRUE(Add(Listener::kCluster).ok());
  auto issuing = *LoadAuthority(state(), AuthorityKind::kCluster);
  const std::string first = issuing.cert_pem();
  tls_.Follow(AuthorityKind::kCluster, &issuing);
  tls_.Poll();
  ASSERT_TRUE(RotateAuthority(state(), AuthorityKind::kCluster, absl::Hours(1),
                              clock_.Now())
                  .ok());
  tls_.Poll();
  EXPECT_THAT(metrics_.Text(), HasSubstr("\"cluster\",result=\"used\"} 1"));
  EXPECT_EQ(issuing.cert_pem(), first);
  tls_.Poll();
  EXPECT_NE(issuing.cert_pem(), first);
  EXPECT_EQ(issuing.cert_pem(), *ReadFile(state().ClusterCa().certificate));
}

}  // namespace
}  // namespace mc::service

#include "mc-service/edge/handshake_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/time/clock.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class HandshakeCheckTest : public ::testing::Test {
 protected:
  HandshakeCheckTest()
      : clock_(kNow),
        ca_(*CertificateAuthority::Create("CA", kNow, kNow + absl::Hours(99))),
        check_({.listener = Listener::kCluster,
                .trust_domain = "test.example",
                .identities = &identities_,
                .revoked = [](std::string_view id) { return id == "revoked"; },
                .clock = &clock_,
                .metrics = &metrics_}) {}

  std::string Certificate(const std::string& uri) {
    IssueSpec spec;
    spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
    spec.uri_sans = {uri};
    spec.client_auth = true;
    spec.not_before = kNow;
    spec.not_after = kNow + absl::Hours(1);
    return *CertificateDerToPem(*ca_.Issue(spec));
  }

  SimulatedClock clock_;
  Metrics metrics_;
  PeerIdentityCache identities_;
  const CertificateAuthority ca_;
  HandshakeCheck check_;
};

TEST_F(HandshakeCheckTest, ClusterOfThisServicePasses) {
  EXPECT_TRUE(
      check_.Check(Certificate("spiffe://test.example/cluster/a")).ok());
}

TEST_F(HandshakeCheckTest, RevokedOneIsRefusedAndCounted) {
  const std::string pem = Certificate("spiffe://test.example/cluster/revoked");
  EXPECT_FALSE(check_.Check(pem).ok());
  EXPECT_FALSE(check_.Check(pem).ok());
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("mission_control_handshakes_refused_total{listener="
                        "\"cluster\",reason=\"revoked\"} 2"));
}

TEST_F(HandshakeCheckTest, OthersAreRefused) {
  for (const char* uri :
       {"spiffe://test.example/operator/a", "spiffe://other.example/cluster/a",
        "spiffe://test.example/node/a", "https://test.example/cluster/a"}) {
    EXPECT_FALSE(check_.Check(Certificate(uri)).ok()) << uri;
  }
  EXPECT_FALSE(check_.Check(ca_.cert_pem()).ok());
  EXPECT_FALSE(check_.Check("garbage").ok());
  EXPECT_FALSE(check_.Check("").ok());
}

// A resumed session is not verified by OpenSSL again.
TEST_F(HandshakeCheckTest, ExpiredOneIsRefused) {
  const std::string pem = Certificate("spiffe://test.example/cluster/a");
  EXPECT_TRUE(check_.Check(pem).ok());
  clock_.Advance(absl::Hours(1) + absl::Seconds(1));
  EXPECT_FALSE(check_.Check(pem).ok());
}

}  // namespace
}  // namespace mc::service

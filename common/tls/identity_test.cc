#include "common/tls/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/status/status.h"

namespace mc {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kEnd = kStart + absl::Hours(24);

std::string Certificate(const std::vector<std::string>& uris) {
  static const CertificateAuthority& authority = *new CertificateAuthority(
      *CertificateAuthority::Create("CA", kStart, kEnd));
  IssueSpec spec;
  spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
  spec.uri_sans = uris;
  spec.not_before = kStart;
  spec.not_after = kEnd;
  return *CertificateDerToPem(*authority.Issue(spec));
}

TEST(Identity, ComesFromTheOnlyUri) {
  const std::string pem =
      Certificate({ClusterSpiffeId("vendor.test", "0f8fad5b")});
  absl::StatusOr<PeerIdentity> identity = IdentityOfCertificate(pem);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->trust_domain, "vendor.test");
  EXPECT_EQ(identity->kind, "cluster");
  EXPECT_EQ(identity->id, "0f8fad5b");
  EXPECT_EQ(identity->not_after, kEnd);
  EXPECT_EQ(identity->serial_hex, ParseCertificatePem(pem)->serial_hex);
  EXPECT_EQ(IdentityOfCertificate(
                Certificate({OperatorSpiffeId("vendor.test", "Admin.1")}))
                ->kind,
            "operator");
  EXPECT_EQ(
      IdentityOfCertificate(Certificate({"spiffe://0f8fad5b/node/a"}))->kind,
      "node");
}

TEST(Identity, OtherNamesAreNone) {
  const std::string good = ClusterSpiffeId("vendor.test", "a");
  const std::vector<std::vector<std::string>> bad = {
      {},
      {good, good},
      {good, "https://vendor.test/"},
      {"https://vendor.test/cluster/a"},
      {"spiffe://vendor.test"},
      {"spiffe://vendor.test/cluster"},
      {"spiffe://vendor.test/cluster/"},
      {"spiffe://vendor.test/cluster/a/b"},
      {"spiffe://vendor.test/cluster/.."},
      {"spiffe://vendor.test/cluster/a%2fb"},
      {"spiffe://vendor.test/agent/a"},
      {"spiffe:///cluster/a"},
      {"spiffe://Vendor.test/cluster/a"},
      {"spiffe://vendor.test:1/cluster/a"},
      {"SPIFFE://vendor.test/cluster/a"}};
  for (const std::vector<std::string>& uris : bad) {
    const absl::Status refused =
        IdentityOfCertificate(Certificate(uris)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated)
        << ::testing::PrintToString(uris);
    EXPECT_EQ(ReasonOf(refused),
              missioncontrol::v1::ERROR_REASON_IDENTITY_MISSING);
  }
  EXPECT_FALSE(IdentityOfCertificate("garbage").ok());
}

}  // namespace
}  // namespace mc

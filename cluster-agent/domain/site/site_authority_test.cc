#include "cluster-agent/domain/site/site_authority.h"

#include <cstdio>
#include <string>
#include <vector>

#include "cluster-agent/domain/site/site_identity.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "common/status/status.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr char kNode[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

class SiteAuthorityTest : public testing::Test {
 protected:
  SiteAuthority::Options OwnCa() const {
    return {.state_directory = dir_.path(),
            .ca_certificate_file = "",
            .ca_key_file = "",
            .cluster_id = "c-1",
            .node_certificate_lifetime = absl::Hours(2)};
  }
  SiteAuthority Open() {
    absl::StatusOr<SiteAuthority> authority = SiteAuthority::Open(OwnCa());
    EXPECT_TRUE(authority.ok()) << authority.status();
    return *std::move(authority);
  }

  TempDir dir_;
};

TEST_F(SiteAuthorityTest, TheCaIsMadeOnceAndKeptForItsOwner) {
  const std::string first = Open().ca_der();
  EXPECT_EQ(Open().ca_der(), first);
  EXPECT_TRUE(CheckPrivateFile(dir_.File(kSiteCaFile)).ok());
}

TEST_F(SiteAuthorityTest, ALostCaIsNotReplacedWhileNodesTrustIt) {
  Open();
  ASSERT_TRUE(AtomicWrite(dir_.File(kSiteNodesFile), "{}", 0600).ok());
  ASSERT_EQ(std::remove(dir_.File(kSiteCaFile).c_str()), 0);
  EXPECT_TRUE(absl::IsDataLoss(SiteAuthority::Open(OwnCa()).status()));
  ASSERT_TRUE(AtomicWrite(dir_.File(kSiteCaFile), "half of it", 0600).ok());
  EXPECT_TRUE(absl::IsDataLoss(SiteAuthority::Open(OwnCa()).status()));
}

TEST_F(SiteAuthorityTest, NodesGetACertificateForClientsAlone) {
  const SiteAuthority authority = Open();
  const PrivateKey key = PrivateKey::GenerateP256();
  const absl::StatusOr<IssuedCertificate> issued =
      authority.IssueNode(kNode, *ParseCsrDer(BuildCsrDer(key)), kNow);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_TRUE(VerifyIssuedBy(issued->der, authority.ca_der()).ok());
  const CertificateInfo info = *ParseCertificateDer(issued->der);
  EXPECT_EQ(info.uri_sans, std::vector<std::string>{
                               std::string("spiffe://c-1/node/") + kNode});
  EXPECT_TRUE(info.dns_sans.empty());
  EXPECT_FALSE(info.is_ca);
  EXPECT_EQ(info.not_after, kNow + absl::Hours(2));
  EXPECT_EQ(info.serial_hex, issued->serial_hex);
  const std::string pem = *CertificateDerToPem(issued->der);
  EXPECT_TRUE(CheckKeyMatchesCertificate(pem, key.ToPem()).ok());
}

TEST_F(SiteAuthorityTest, TheMasterIsKnownByItsFixedName) {
  const SiteAuthority authority = Open();
  const absl::StatusOr<ServerCertificate> issued = authority.IssueServer(kNow);
  ASSERT_TRUE(issued.ok()) << issued.status();
  const CertificateInfo info = *ParseCertificatePem(issued->cert_pem);
  EXPECT_EQ(info.dns_sans, std::vector<std::string>{kMasterName});
  EXPECT_TRUE(info.uri_sans.empty());
  EXPECT_TRUE(
      CheckKeyMatchesCertificate(issued->cert_pem, issued->key_pem).ok());
}

TEST_F(SiteAuthorityTest, TheConfiguredCaMustBeAWholeRoot) {
  const auto root = *CertificateAuthority::Create("root", kNow - absl::Hours(1),
                                                  kNow + absl::Hours(9));
  const auto other = *CertificateAuthority::Create(
      "other", kNow - absl::Hours(1), kNow + absl::Hours(9));
  ASSERT_TRUE(AtomicWrite(dir_.File("ca.crt"), root.cert_pem(), 0644).ok());
  ASSERT_TRUE(AtomicWrite(dir_.File("ca.key"), root.key_pem(), 0600).ok());
  ASSERT_TRUE(AtomicWrite(dir_.File("other.key"), other.key_pem(), 0600).ok());
  SiteAuthority::Options options = OwnCa();
  options.ca_certificate_file = dir_.File("ca.crt");
  options.ca_key_file = dir_.File("ca.key");
  const auto authority = SiteAuthority::Open(options);
  ASSERT_TRUE(authority.ok()) << authority.status();
  EXPECT_EQ(authority->ca_der(), root.cert_der());
  EXPECT_FALSE(FileExists(dir_.File(kSiteCaFile)));
  options.ca_key_file = dir_.File("other.key");
  EXPECT_TRUE(absl::IsInvalidArgument(SiteAuthority::Open(options).status()));
}

}  // namespace
}  // namespace mc::agent

#include "common/crypto/certificate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crypto/authority.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"

namespace mc {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kEnd = kStart + absl::Hours(1000);

CertificateAuthority Authority(const std::string& name) {
  return *CertificateAuthority::Create(name, kStart, kEnd);
}

std::string Leaf(const CertificateAuthority& authority, const PrivateKey& key) {
  return *authority.Issue({.spki_der = key.PublicSpkiDer(),
                           .uri_sans = {"spiffe://test/cluster/1"},
                           .dns_sans = {"localhost", "a.test"},
                           .ip_sans = {},
                           .client_auth = true,
                           .not_before = kStart,
                           .not_after = kEnd,
                           .common_name = "leaf"});
}

TEST(Certificate, InfoIsWhatWasIssued) {
  const PrivateKey key = PrivateKey::GenerateP256();
  absl::StatusOr<CertificateInfo> info =
      ParseCertificateDer(Leaf(Authority("root"), key));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->uri_sans,
            std::vector<std::string>{"spiffe://test/cluster/1"});
  EXPECT_EQ(info->dns_sans, (std::vector<std::string>{"localhost", "a.test"}));
  EXPECT_EQ(info->not_before, kStart);
  EXPECT_EQ(info->not_after, kEnd);
  EXPECT_EQ(info->issuer_name, "CN=root");
  EXPECT_EQ(info->subject_name, "CN=leaf");
  EXPECT_FALSE(info->is_ca);
  EXPECT_EQ(info->spki_sha256, Sha256(key.PublicSpkiDer()));
}

TEST(Certificate, GarbageAndTrailingBytesAreRefused) {
  const std::string der = Authority("root").cert_der();
  for (const std::string& bad : {std::string(), std::string("garbage"),
                                 der + "x", der.substr(0, der.size() - 1)}) {
    EXPECT_EQ(ParseCertificateDer(bad).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(ParseCertificatePem("").ok());
  EXPECT_FALSE(ParseCertificatePem(der).ok());
}

TEST(Certificate, DerAndPemGoBothWays) {
  const CertificateAuthority a = Authority("a");
  const CertificateAuthority b = Authority("b");
  EXPECT_EQ(*CertificateDerToPem(a.cert_der()), a.cert_pem());
  EXPECT_EQ(*CertificatePemToDer(a.cert_pem()), a.cert_der());
  EXPECT_EQ(*CertificateChainPemToDer(a.cert_pem() + "\n" + b.cert_pem()),
            (std::vector<std::string>{a.cert_der(), b.cert_der()}));
  EXPECT_FALSE(CertificateChainPemToDer("").ok());
  EXPECT_FALSE(CertificateChainPemToDer(a.cert_pem() +
                                        b.cert_pem().substr(0, 200) +
                                        "\n-----END CERTIFICATE-----\n")
                   .ok());
}

TEST(Certificate, KeyOfAnotherPairIsNamedAsSuch) {
  const CertificateAuthority a = Authority("a");
  const CertificateAuthority b = Authority("b");
  EXPECT_TRUE(CheckKeyMatchesCertificate(a.cert_pem(), a.key_pem()).ok());
  EXPECT_EQ(CheckKeyMatchesCertificate(a.cert_pem(), b.key_pem()).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckKeyMatchesCertificate(a.cert_pem(),
                                       PrivateKey::GenerateEd25519().ToPem())
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CheckKeyMatchesCertificate(a.key_pem(), a.key_pem()).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Certificate, IssuerIsWhoSigned) {
  const CertificateAuthority real = Authority("root");
  const CertificateAuthority namesake = Authority("root");
  const std::string leaf = Leaf(real, PrivateKey::GenerateP256());
  EXPECT_TRUE(VerifyIssuedBy(leaf, real.cert_der()).ok());
  EXPECT_EQ(VerifyIssuedBy(leaf, namesake.cert_der()).code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(VerifyIssuedBy(leaf, leaf).code(),
            absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace mc

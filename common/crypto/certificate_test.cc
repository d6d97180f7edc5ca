#include "common/crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <string>
#include <vector>

#include "common/crypto/authority.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"

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

std::string IdentityCertificate(const IssueSpec& names) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const auto authority =
      CertificateAuthority::Create("CA", now, now + absl::Hours(24));
  IssueSpec spec = names;
  spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
  spec.not_before = now;
  spec.not_after = now + absl::Hours(1);
  return *authority->Issue(spec);
}

TEST(Certificate, IdentityIsReadAsTheWholeCertificateIs) {
  IssueSpec named;
  named.uri_sans = {"spiffe://a.test/cluster/one"};
  named.client_auth = true;
  IssueSpec other;
  other.dns_sans = {"a.test", "b.test"};
  other.ip_sans = {"127.0.0.1", "::1"};
  other.common_name = "somebody";
  const auto authority = CertificateAuthority::Create(
      "CA", absl::FromUnixSeconds(0), absl::FromUnixSeconds(4'000'000'000));
  for (const std::string& der :
       {IdentityCertificate(named), IdentityCertificate(other),
        IdentityCertificate({}), authority->cert_der()}) {
    const auto whole = ParseCertificateDer(der);
    const auto identity =
        ParseCertificateIdentityPem(*CertificateDerToPem(der));
    ASSERT_TRUE(whole.ok());
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_EQ(identity->serial_hex, whole->serial_hex);
    EXPECT_EQ(identity->not_before, whole->not_before);
    EXPECT_EQ(identity->not_after, whole->not_after);
    EXPECT_EQ(identity->uri_sans, whole->uri_sans);
    EXPECT_EQ(identity->dns_sans, whole->dns_sans);
    EXPECT_EQ(identity->ip_sans, whole->ip_sans);
    EXPECT_EQ(identity->is_ca, whole->is_ca);
    EXPECT_EQ(identity->spki_sha256, whole->spki_sha256);
  }
}

// As PEM, which holds any bytes.
std::string AsPem(const std::string& der) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  openssl::Must(
      PEM_write_bio(bio.get(), PEM_STRING_X509, "",
                    reinterpret_cast<const unsigned char*>(der.data()),
                    static_cast<long>(der.size())) > 0);
  return openssl::Contents(bio.get());
}

TEST(Certificate, WhatIsNoCertificateHasNoIdentity) {
  IssueSpec named;
  named.uri_sans = {"spiffe://a.test/cluster/one"};
  const std::string der = IdentityCertificate(named);
  EXPECT_TRUE(ParseCertificateIdentityPem(AsPem(der)).ok());
  for (size_t size = 1; size < der.size(); ++size) {
    EXPECT_FALSE(ParseCertificateIdentityPem(AsPem(der.substr(0, size))).ok())
        << size;
  }
  EXPECT_FALSE(ParseCertificateIdentityPem(AsPem(der + '\0')).ok());
  EXPECT_FALSE(ParseCertificateIdentityPem("").ok());
  EXPECT_FALSE(ParseCertificateIdentityPem("garbage").ok());
  EXPECT_FALSE(
      ParseCertificateIdentityPem(PrivateKey::GenerateP256().ToPem()).ok());
}

// Whatever else the whole parser refuses (keys, names), what both read is the
// same.
TEST(Certificate, ChangedBytesGiveNoOtherIdentityThanTheWholeParser) {
  IssueSpec named;
  named.uri_sans = {"spiffe://a.test/cluster/one"};
  const std::string der = IdentityCertificate(named);
  for (size_t at = 0; at < der.size(); ++at) {
    for (const int bit : {0x01, 0x20, 0x80}) {
      std::string changed = der;
      changed[at] = static_cast<char>(changed[at] ^ bit);
      const auto whole = ParseCertificateDer(changed);
      const auto identity = ParseCertificateIdentityPem(AsPem(changed));
      if (!whole.ok() || !identity.ok()) continue;
      EXPECT_EQ(identity->uri_sans, whole->uri_sans) << at;
      EXPECT_EQ(identity->not_after, whole->not_after) << at;
      EXPECT_EQ(identity->serial_hex, whole->serial_hex) << at;
    }
  }
}

}  // namespace
}  // namespace mc

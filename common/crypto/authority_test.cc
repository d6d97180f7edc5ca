#include "common/crypto/authority.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <set>
#include <string>

#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"

namespace mc {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kEnd = kStart + absl::Hours(1000);

IssueSpec Spec(const PrivateKey& key) {
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.not_before = kStart;
  spec.not_after = kEnd;
  return spec;
}

CertificateAuthority Authority() {
  return *CertificateAuthority::Create("Test CA", kStart, kEnd);
}

openssl::Certificate Parsed(const std::string& der) {
  return *openssl::CertificateFromDer(der);
}

TEST(Authority, RootSignsCertificatesAndNothingElse) {
  const CertificateAuthority authority = Authority();
  const openssl::Certificate root = Parsed(authority.cert_der());
  EXPECT_EQ(X509_check_ca(root.get()), 1);
  EXPECT_EQ(X509_get_pathlen(root.get()), 0);
  EXPECT_EQ(X509_get_key_usage(root.get()),
            static_cast<uint32_t>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  EXPECT_EQ(X509_verify(root.get(), X509_get0_pubkey(root.get())), 1);
}

TEST(Authority, LeafServesTheNamedPurposeOnly) {
  const CertificateAuthority authority = Authority();
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec = Spec(key);
  spec.client_auth = true;
  const openssl::Certificate leaf = Parsed(*authority.Issue(spec));
  EXPECT_EQ(X509_check_ca(leaf.get()), 0);
  EXPECT_EQ(X509_get_key_usage(leaf.get()),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE));
  EXPECT_EQ(X509_get_extended_key_usage(leaf.get()),
            static_cast<uint32_t>(XKU_SSL_CLIENT));
  EXPECT_EQ(X509_check_purpose(leaf.get(), X509_PURPOSE_SSL_SERVER, 0), 0);
  const openssl::Certificate root = Parsed(authority.cert_der());
  EXPECT_EQ(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf.get()),
                                  X509_get0_subject_key_id(root.get())),
            0);
  EXPECT_NE(X509_get0_subject_key_id(leaf.get()), nullptr);
  EXPECT_TRUE(
      VerifyIssuedBy(*authority.Issue(spec), authority.cert_der()).ok());
}

TEST(Authority, ServerNamesAreCheckedByOpenSslItself) {
  IssueSpec spec = Spec(PrivateKey::GenerateP256());
  spec.server_auth = true;
  spec.dns_sans = {"mc.test"};
  spec.ip_sans = {"127.0.0.1", "::1"};
  const openssl::Certificate leaf = Parsed(*Authority().Issue(spec));
  EXPECT_EQ(X509_check_host(leaf.get(), "mc.test", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(leaf.get(), "other.test", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.2", 0), 0);
}

TEST(Authority, SerialsAreLongAndDiffer) {
  const CertificateAuthority authority = Authority();
  const IssueSpec spec = Spec(PrivateKey::GenerateP256());
  std::set<std::string> serials;
  for (int i = 0; i < 50; ++i) {
    const std::string serial =
        ParseCertificateDer(*authority.Issue(spec))->serial_hex;
    EXPECT_EQ(serial.size(), 34u);
    EXPECT_TRUE(serials.insert(serial).second);
  }
}

TEST(Authority, NamesCannotSmuggleInOthers) {
  const CertificateAuthority authority = Authority();
  IssueSpec spec = Spec(PrivateKey::GenerateP256());
  spec.dns_sans = {"a.test,DNS:b.test"};
  absl::StatusOr<std::string> leaf = authority.Issue(spec);
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  EXPECT_EQ(ParseCertificateDer(*leaf)->dns_sans.size(), 1u);
  for (const std::string& bad : {std::string(), std::string("a\0b", 3),
                                 std::string("a b"), std::string("\xc3\xa4")}) {
    spec.dns_sans = {bad};
    EXPECT_FALSE(authority.Issue(spec).ok());
  }
  spec.dns_sans = {};
  spec.ip_sans = {"localhost"};
  EXPECT_FALSE(authority.Issue(spec).ok());
}

TEST(Authority, DatesAreCutToTheAuthoritysOwn) {
  const CertificateAuthority authority = Authority();
  IssueSpec spec = Spec(PrivateKey::GenerateP256());
  spec.not_before = kStart - absl::Hours(1);
  spec.not_after = kEnd + absl::Hours(1);
  absl::StatusOr<CertificateInfo> info =
      ParseCertificateDer(*authority.Issue(spec));
  EXPECT_EQ(info->not_before, kStart);
  EXPECT_EQ(info->not_after, kEnd);
  spec.not_before = kEnd;
  EXPECT_EQ(authority.Issue(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Authority, GarbageIsNotCertified) {
  IssueSpec spec = Spec(PrivateKey::GenerateP256());
  const CertificateAuthority authority = Authority();
  for (const std::string& bad :
       {std::string(), std::string("garbage"), spec.spki_der + "x"}) {
    spec.spki_der = bad;
    EXPECT_EQ(authority.Issue(spec).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Authority, LoadTakesOnlyAnAuthoritysMatchingPair) {
  const CertificateAuthority authority = Authority();
  absl::StatusOr<CertificateAuthority> again =
      CertificateAuthority::Load(authority.cert_pem(), authority.key_pem());
  ASSERT_TRUE(again.ok()) << again.status();
  const PrivateKey key = PrivateKey::GenerateP256();
  absl::StatusOr<std::string> leaf = again->Issue(Spec(key));
  ASSERT_TRUE(leaf.ok());
  EXPECT_TRUE(VerifyIssuedBy(*leaf, authority.cert_der()).ok());

  EXPECT_EQ(CertificateAuthority::Load(authority.cert_pem(), key.ToPem())
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CertificateAuthority::Load(*CertificateDerToPem(*leaf), key.ToPem())
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Authority, IssuesWithTheKeyThatFollowedAndKnowsWhoIssuedWhat) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const auto make = [&] {
    return *CertificateAuthority::Create("CA", now, now + absl::Hours(24));
  };
  CertificateAuthority authority = make();
  const CertificateAuthority next = make();
  const std::string first_der = authority.cert_der();
  IssueSpec spec;
  spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
  spec.not_before = now;
  spec.not_after = now + absl::Hours(1);
  const std::string early = *authority.Issue(spec);
  EXPECT_EQ(authority.IssuerOf(early), first_der);
  authority.Replace(next);
  const std::string late = *authority.Issue(spec);
  EXPECT_EQ(authority.cert_der(), next.cert_der());
  EXPECT_EQ(authority.cert_pem(), next.cert_pem());
  EXPECT_EQ(authority.key_pem(), next.key_pem());
  EXPECT_EQ(authority.IssuerOf(early), first_der);
  EXPECT_EQ(authority.IssuerOf(late), next.cert_der());
  EXPECT_TRUE(VerifyIssuedBy(late, next.cert_der()).ok());
}

}  // namespace
}  // namespace mc

#include "common/tls/identity_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/status/status.h"

namespace mc {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
const absl::Time kEnd = kStart + absl::Hours(24);

std::string Certificate(int number) {
  static const CertificateAuthority& authority = *new CertificateAuthority(
      *CertificateAuthority::Create("CA", kStart, kEnd));
  IssueSpec spec;
  spec.spki_der = PrivateKey::GenerateP256().PublicSpkiDer();
  spec.uri_sans = {ClusterSpiffeId("vendor.test", absl::StrCat(number))};
  spec.not_before = kStart;
  spec.not_after = kEnd;
  return *CertificateDerToPem(*authority.Issue(spec));
}

TEST(PeerIdentityCache, ParsesACertificateOnce) {
  PeerIdentityCache cache;
  const std::string pem = Certificate(1);
  const auto first = cache.OfCertificate(pem);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ((*first)->id, "1");
  EXPECT_EQ((*first)->not_after, kEnd);
  EXPECT_EQ(*cache.OfCertificate(pem), *first);
}

TEST(PeerIdentityCache, KeepsCertificatesApart) {
  PeerIdentityCache cache;
  const std::string one = Certificate(1);
  const std::string two = Certificate(2);
  EXPECT_EQ((*cache.OfCertificate(one))->id, "1");
  EXPECT_EQ((*cache.OfCertificate(two))->id, "2");
  EXPECT_EQ((*cache.OfCertificate(one))->id, "1");
}

TEST(PeerIdentityCache, WhatIsNoIdentityStaysNone) {
  PeerIdentityCache cache;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ReasonOf(cache.OfCertificate("garbage").status()),
              missioncontrol::v1::ERROR_REASON_IDENTITY_MISSING);
  }
}

TEST(PeerIdentityCache, ForgetsThoseThatDoNotCome) {
  PeerIdentityCache cache(4);
  const std::string regular = Certificate(0);
  const std::string once = Certificate(1);
  const auto entry = *cache.OfCertificate(regular);
  // The cache would be the other owner.
  const std::weak_ptr<const PeerIdentity> seen_once =
      *cache.OfCertificate(once);
  for (int i = 2; i < 12; ++i) {
    ASSERT_TRUE(cache.OfCertificate(Certificate(i)).ok());
    EXPECT_EQ(*cache.OfCertificate(regular), entry);
  }
  EXPECT_TRUE(seen_once.expired());
}

}  // namespace
}  // namespace mc

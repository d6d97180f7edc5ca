#include "common/crypto/possession.h"

#include <gtest/gtest.h>

#include <string>

#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"

namespace mc {
namespace {

std::string CertificateOf(const PrivateKey& key) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const auto authority =
      CertificateAuthority::Create("CA", now, now + absl::Hours(2));
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.client_auth = true;
  spec.not_before = now;
  spec.not_after = now + absl::Hours(1);
  return authority->Issue(spec).value();
}

TEST(Possession, OnlyTheCertificatesKeyProvesIt) {
  const PrivateKey key = PrivateKey::GenerateP256();
  const std::string certificate = CertificateOf(key);
  const std::string proof = ProvePossession(key, "request");
  EXPECT_TRUE(VerifyPossession(certificate, "request", proof).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(
      VerifyPossession(certificate, "another request", proof)));
  EXPECT_TRUE(absl::IsUnauthenticated(VerifyPossession(
      certificate, "request",
      ProvePossession(PrivateKey::GenerateP256(), "request"))));
  EXPECT_TRUE(
      absl::IsUnauthenticated(VerifyPossession(certificate, "request", "")));
}

TEST(Possession, WhatIsNoCertificateProvesNothing) {
  const std::string proof =
      ProvePossession(PrivateKey::GenerateP256(), "request");
  EXPECT_TRUE(
      absl::IsInvalidArgument(VerifyPossession("nonsense", "request", proof)));
}

}  // namespace
}  // namespace mc

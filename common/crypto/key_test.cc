#include "common/crypto/key.h"

#include <gtest/gtest.h>

#include <string>

#include "common/crypto/digest.h"

namespace mc {
namespace {

TEST(PrivateKey, PemGoesBothWays) {
  for (const bool edwards : {false, true}) {
    const PrivateKey key =
        edwards ? PrivateKey::GenerateEd25519() : PrivateKey::GenerateP256();
    EXPECT_EQ(key.is_ed25519(), edwards);
    EXPECT_EQ(key.ToPem().rfind("-----BEGIN PRIVATE KEY-----", 0), 0u);
    absl::StatusOr<PrivateKey> again = PrivateKey::FromPem(key.ToPem());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->PublicSpkiDer(), key.PublicSpkiDer());
  }
}

TEST(PrivateKey, EveryKeyIsAnother) {
  EXPECT_NE(PrivateKey::GenerateP256().PublicSpkiDer(),
            PrivateKey::GenerateP256().PublicSpkiDer());
  EXPECT_NE(PrivateKey::GenerateEd25519().Ed25519Public(),
            PrivateKey::GenerateEd25519().Ed25519Public());
}

TEST(PrivateKey, WhatIsNoPlainKeyIsRefused) {
  EXPECT_FALSE(PrivateKey::FromPem("").ok());
  EXPECT_FALSE(PrivateKey::FromPem("no key").ok());
  std::string broken = PrivateKey::GenerateP256().ToPem();
  broken[60] = broken[60] == 'A' ? 'B' : 'A';
  broken[61] = '!';
  EXPECT_EQ(PrivateKey::FromPem(broken).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(
      PrivateKey::FromPem("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                          "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBA=\n"
                          "-----END ENCRYPTED PRIVATE KEY-----\n")
          .ok());
}

// RFC 8032, 7.1, test 2: the key's PKCS #8 is RFC 8410's prefix and the seed.
TEST(PrivateKey, Ed25519SignsAsTheStandardSays) {
  const std::string public_key = *FromHex(
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const std::string signature = *FromHex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
      "-----END PRIVATE KEY-----\n");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->Ed25519Public(), public_key);
  EXPECT_EQ(key->Sign("\x72"), signature);
  EXPECT_TRUE(VerifyEd25519(public_key, "\x72", signature).ok());
}

TEST(PrivateKey, SignatureIsOfOneKeyAndOneMessage) {
  const PrivateKey key = PrivateKey::GenerateEd25519();
  const std::string signature = key.Sign("message");
  const std::string raw = key.Ed25519Public();
  EXPECT_TRUE(VerifyEd25519(raw, "message", signature).ok());
  EXPECT_EQ(VerifyEd25519(raw, "messagE", signature).code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(VerifyEd25519(raw, "message", signature.substr(1)).code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(VerifyEd25519(raw, "message", "").code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(VerifyEd25519(PrivateKey::GenerateEd25519().Ed25519Public(),
                          "message", signature)
                .code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(VerifyEd25519("short", "message", signature).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mc

#include "common/crypto/csr.h"

#include <gtest/gtest.h>

#include <string>

#include "common/crypto/openssl.h"
#include "common/status/status.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

// A request as a client might make it: with a subject and one extension.
std::string Request(EVP_PKEY* key, const char* common_name, int nid = 0,
                    const char* value = "") {
  const openssl::Request request(X509_REQ_new());
  X509_REQ_set_version(request.get(), X509_REQ_VERSION_1);
  X509_REQ_set_pubkey(request.get(), key);
  if (*common_name != 0) {
    X509_NAME_add_entry_by_NID(
        X509_REQ_get_subject_name(request.get()), NID_commonName, MBSTRING_ASC,
        reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  }
  if (nid != 0) {
    const openssl::Extensions extensions(sk_X509_EXTENSION_new_null());
    X509_EXTENSION* extension =
        X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value);
    EXPECT_NE(extension, nullptr);
    sk_X509_EXTENSION_push(extensions.get(), extension);
    X509_REQ_add_extensions(request.get(), extensions.get());
  }
  EXPECT_GT(X509_REQ_sign(request.get(), key, EVP_sha256()), 0);
  return openssl::ToDer<i2d_X509_REQ>(request.get());
}

v1::ErrorReason ReasonOfParse(std::string_view der) {
  return ReasonOf(ParseCsrDer(der).status());
}

v1::ErrorReason ReasonOfCheck(const std::string& der) {
  absl::StatusOr<CsrInfo> info = ParseCsrDer(der);
  EXPECT_TRUE(info.ok()) << info.status();
  return ReasonOf(CheckClusterCsr(*info));
}

TEST(Csr, OwnRequestIsAllowedAndCarriesTheKey) {
  const PrivateKey key = PrivateKey::GenerateP256();
  absl::StatusOr<CsrInfo> info = ParseCsrDer(BuildCsrDer(key));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->spki_der, key.PublicSpkiDer());
  EXPECT_TRUE(info->subject_empty);
  EXPECT_FALSE(info->asks_for_ca);
  EXPECT_FALSE(info->has_san);
  EXPECT_TRUE(CheckClusterCsr(*info).ok());
}

TEST(Csr, P384IsAllowedAndOtherKeysAreNot) {
  const openssl::Pkey p384(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"));
  EXPECT_TRUE(ParseCsrDer(Request(p384.get(), "")).ok());
  const openssl::Pkey p521(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-521"));
  EXPECT_EQ(ReasonOfParse(Request(p521.get(), "")),
            v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
  const openssl::Pkey rsa(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(2048)));
  EXPECT_EQ(ReasonOfParse(Request(rsa.get(), "")),
            v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
  EXPECT_EQ(ReasonOfParse(BuildCsrDer(PrivateKey::GenerateEd25519())),
            v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED);
}

TEST(Csr, IdentityInTheRequestIsRefused) {
  const PrivateKey key = PrivateKey::GenerateP256();
  EXPECT_EQ(ReasonOfCheck(Request(key.get(), "somebody")),
            v1::ERROR_REASON_CSR_IDENTITY_NOT_ALLOWED);
  EXPECT_EQ(ReasonOfCheck(Request(key.get(), "", NID_subject_alt_name,
                                  "URI:spiffe://test/cluster/other")),
            v1::ERROR_REASON_CSR_IDENTITY_NOT_ALLOWED);
  EXPECT_EQ(ReasonOfCheck(
                Request(key.get(), "", NID_subject_alt_name, "DNS:mc.test")),
            v1::ERROR_REASON_CSR_IDENTITY_NOT_ALLOWED);
}

TEST(Csr, RequestForAnAuthorityIsRefused) {
  const PrivateKey key = PrivateKey::GenerateP256();
  EXPECT_EQ(
      ReasonOfCheck(Request(key.get(), "", NID_basic_constraints, "CA:TRUE")),
      v1::ERROR_REASON_CSR_CA_NOT_ALLOWED);
  EXPECT_EQ(ReasonOfCheck(Request(key.get(), "", NID_key_usage, "keyCertSign")),
            v1::ERROR_REASON_CSR_CA_NOT_ALLOWED);
  absl::StatusOr<CsrInfo> plain =
      ParseCsrDer(Request(key.get(), "", NID_basic_constraints, "CA:FALSE"));
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_TRUE(CheckClusterCsr(*plain).ok());
}

TEST(Csr, WhatIsNoRequestIsMalformed) {
  const std::string der = BuildCsrDer(PrivateKey::GenerateP256());
  EXPECT_EQ(ReasonOfParse(""), v1::ERROR_REASON_CSR_MALFORMED);
  EXPECT_EQ(ReasonOfParse("garbage"), v1::ERROR_REASON_CSR_MALFORMED);
  EXPECT_EQ(ReasonOfParse(der + "x"), v1::ERROR_REASON_CSR_MALFORMED);
  EXPECT_EQ(ReasonOfParse(der.substr(0, der.size() - 1)),
            v1::ERROR_REASON_CSR_MALFORMED);
  EXPECT_EQ(ReasonOfParse(std::string(kMaxCsrSize + 1, '0')),
            v1::ERROR_REASON_CSR_MALFORMED);
}

TEST(Csr, EveryChangedByteIsNoticed) {
  const std::string der = BuildCsrDer(PrivateKey::GenerateP256());
  for (size_t i = 0; i < der.size(); ++i) {
    std::string changed = der;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    absl::StatusOr<CsrInfo> info = ParseCsrDer(changed);
    EXPECT_FALSE(info.ok()) << "byte " << i;
  }
}

}  // namespace
}  // namespace mc

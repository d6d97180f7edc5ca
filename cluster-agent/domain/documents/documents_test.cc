#include "cluster-agent/domain/documents/documents.h"

#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Documents : public testing::Test {
 protected:
  DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  DocumentSigner other_{PrivateKey::GenerateEd25519()};
  DocumentKeys keys_{signer_.document_key()};
};

class Licenses : public Documents {
 protected:
  Licenses() {
    v1::LicenseDocument& license = *answer_.mutable_license();
    license.set_kind(v1::DOCUMENT_KIND_LICENSE);
    license.set_cluster_id("ours");
    license.set_status(v1::LICENSE_STATUS_ACTIVE);
    *answer_.mutable_signed_license() = signer_.Sign(license);
  }
  absl::Status Verify() { return VerifyLicenseAnswer(answer_, keys_, "ours"); }
  v1::CheckLicenseResponse answer_;
};

TEST_F(Licenses, WhatTheVendorSignedIsBelieved) {
  EXPECT_TRUE(Verify().ok()) << Verify();
}

TEST_F(Licenses, AnotherSignatureIsNot) {
  *answer_.mutable_signed_license() = other_.Sign(answer_.license());
  EXPECT_THAT(std::string(Verify().message()), HasSubstr("signature"));
}

TEST_F(Licenses, AChangedDocumentIsNot) {
  answer_.mutable_signed_license()->mutable_document()->back() ^= 1;
  EXPECT_THAT(std::string(Verify().message()), HasSubstr("signature"));
}

TEST_F(Licenses, AnotherTypedCopyIsNot) {
  answer_.mutable_license()->set_status(v1::LICENSE_STATUS_REVOKED);
  EXPECT_FALSE(Verify().ok());
}

TEST_F(Licenses, AnotherClustersIsNot) {
  EXPECT_FALSE(VerifyLicenseAnswer(answer_, keys_, "theirs").ok());
}

TEST_F(Licenses, AReceiptIsNoLicense) {
  v1::ConsumptionReceiptDocument receipt;
  receipt.set_kind(v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  receipt.set_cluster_id("ours");
  EXPECT_FALSE(VerifyLicense(signer_.Sign(receipt), keys_, "ours").ok());
}

TEST_F(Documents, AReceiptIsForTheBytesThatWereSent) {
  const std::string digest = Sha256("report");
  v1::ConsumptionReceiptDocument receipt;
  receipt.set_kind(v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  receipt.set_cluster_id("ours");
  receipt.set_epoch(7);
  receipt.set_sequence(3);
  receipt.set_report_sha256(digest);
  const v1::SignedDocument document = signer_.Sign(receipt);
  const std::string other = Sha256("another");
  EXPECT_TRUE(VerifyReceipt(document, keys_, {"ours", 7, 3, digest}).ok());
  EXPECT_FALSE(VerifyReceipt(document, keys_, {"ours", 7, 3, other}).ok());
  EXPECT_FALSE(VerifyReceipt(document, keys_, {"ours", 8, 3, digest}).ok());
  EXPECT_FALSE(VerifyReceipt(document, keys_, {"ours", 7, 4, digest}).ok());
  EXPECT_FALSE(VerifyReceipt(document, keys_, {"theirs", 7, 3, digest}).ok());
  EXPECT_FALSE(
      VerifyReceipt(other_.Sign(receipt), keys_, {"ours", 7, 3, digest}).ok());
  EXPECT_FALSE(VerifyReceipt({}, keys_, {"ours", 7, 3, digest}).ok());
}

TEST_F(Documents, AReleaseThatDoesNotVerifyIsNotOffered) {
  v1::CheckUpdatesResponse answer;
  v1::ReleaseDocument document;
  document.set_kind(v1::DOCUMENT_KIND_RELEASE);
  document.set_component(v1::COMPONENT_CLUSTER);
  document.set_version("1.1.0");
  document.set_description("Faster");
  answer.mutable_cluster()->set_version("1.1.0");
  answer.mutable_cluster()->set_description("Faster");
  *answer.mutable_cluster()->mutable_signed_release() = signer_.Sign(document);

  document.set_component(v1::COMPONENT_ONE_AGENT);
  document.set_label("stable");
  document.add_artifacts()->set_download_url("https://example.com/a");
  v1::ComponentUpdate good;
  good.set_label("stable");
  good.set_version("1.1.0");
  *good.mutable_artifacts() = document.artifacts();
  *good.mutable_signed_release() = signer_.Sign(document);
  *answer.add_one_agents() = good;
  // Another place to download from than was signed.
  *answer.add_one_agents() = good;
  answer.mutable_one_agents(1)->mutable_artifacts(0)->set_download_url(
      "https://example.net/a");
  // Signed by somebody else.
  *answer.add_one_agents() = good;
  *answer.mutable_one_agents(2)->mutable_signed_release() =
      other_.Sign(document);
  // A release of another component.
  *answer.add_active_gates() = good;

  const OfferedReleases offered = VerifyReleases(answer, keys_);
  EXPECT_THAT(offered.available,
              ElementsAre("cluster 1.1.0", "one_agent stable 1.1.0"));
  EXPECT_EQ(offered.refused.size(), 3u);
}

}  // namespace
}  // namespace mc::agent

#include "common/crypto/document.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crypto/digest.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/updates.pb.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

v1::LicenseDocument License() {
  v1::LicenseDocument license;
  license.set_kind(v1::DOCUMENT_KIND_LICENSE);
  license.set_cluster_id("c-1");
  license.set_status(v1::LICENSE_STATUS_ACTIVE);
  return license;
}

class DocumentTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::LicenseDocument> Verify(const v1::SignedDocument& d) {
    return VerifyDocument<v1::LicenseDocument>(d, keys_,
                                               v1::DOCUMENT_KIND_LICENSE);
  }

  DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  DocumentSigner other_{PrivateKey::GenerateEd25519()};
  std::vector<v1::DocumentKey> keys_ = {other_.document_key(),
                                        signer_.document_key()};
};

TEST_F(DocumentTest, VerifiedDocumentIsWhatWasSigned) {
  const v1::SignedDocument document = signer_.Sign(License());
  EXPECT_EQ(document.key_id(), signer_.key_id());
  absl::StatusOr<v1::LicenseDocument> license = Verify(document);
  ASSERT_TRUE(license.ok()) << license.status();
  EXPECT_EQ(license->SerializeAsString(), License().SerializeAsString());
}

TEST_F(DocumentTest, KeyIdComesFromThePublicKey) {
  EXPECT_EQ(signer_.key_id(), Hex(Sha256(signer_.public_key())).substr(0, 16));
  EXPECT_EQ(signer_.key_id(), DocumentKeyId(signer_.public_key()));
}

TEST_F(DocumentTest, ChangedBytesSignatureOrKeyIsRefused) {
  const v1::SignedDocument document = signer_.Sign(License());
  v1::SignedDocument changed = document;
  changed.mutable_document()->back() ^= 1;
  EXPECT_EQ(Verify(changed).status().code(),
            absl::StatusCode::kUnauthenticated);
  changed = document;
  changed.mutable_signature()->front() ^= 1;
  EXPECT_EQ(Verify(changed).status().code(),
            absl::StatusCode::kUnauthenticated);
  changed = document;
  changed.set_key_id(other_.key_id());
  EXPECT_EQ(Verify(changed).status().code(),
            absl::StatusCode::kUnauthenticated);
  changed.set_key_id("unknown");
  EXPECT_EQ(Verify(changed).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(DocumentTest, OneKindNeverPassesForAnother) {
  v1::ReleaseDocument release;
  release.set_kind(v1::DOCUMENT_KIND_RELEASE);
  EXPECT_EQ(Verify(signer_.Sign(release)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(VerifyDocument<v1::ReleaseDocument>(signer_.Sign(License()), keys_,
                                                v1::DOCUMENT_KIND_RELEASE)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(DocumentTest, SignedBytesThatAreNoDocumentAreRefused) {
  const PrivateKey key = PrivateKey::GenerateEd25519();
  v1::SignedDocument document;
  document.set_document("\xff\xff");
  document.set_signature(key.Sign(document.document()));
  document.set_key_id(DocumentKeyId(key.Ed25519Public()));
  v1::DocumentKey known;
  known.set_key_id(document.key_id());
  known.set_public_key(key.Ed25519Public());
  keys_.push_back(known);
  EXPECT_EQ(Verify(document).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(DocumentTest, OnlyEd25519KeysSign) {
  EXPECT_EQ(DocumentSigner::Create(PrivateKey::GenerateP256()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(DocumentSigner::Create(PrivateKey::GenerateEd25519()).ok());
}

}  // namespace
}  // namespace mc

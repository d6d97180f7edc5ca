#include "cluster-agent/domain/documents/key_ring.h"

#include <string>
#include <vector>

#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::ElementsAre;

class Successions : public testing::Test {
 protected:
  static v1::SignedDocument Succession(const DocumentSigner& signer,
                                       const v1::DocumentKey& successor) {
    v1::KeySuccessionDocument document;
    document.set_kind(v1::DOCUMENT_KIND_KEY_SUCCESSION);
    *document.mutable_successor() = successor;
    return signer.Sign(document);
  }
  void Add(const DocumentSigner& signer, const v1::DocumentKey& successor) {
    *successions_.Add() = Succession(signer, successor);
  }
  // IDs of the keys that are known afterwards.
  absl::StatusOr<std::vector<std::string>> Follow(const DocumentSigner& known) {
    const auto keys = FollowSuccessions(successions_, {known.document_key()});
    if (!keys.ok()) return keys.status();
    std::vector<std::string> ids;
    for (const v1::DocumentKey& key : *keys) ids.push_back(key.key_id());
    return ids;
  }

  const DocumentSigner first_{PrivateKey::GenerateEd25519()};
  const DocumentSigner second_{PrivateKey::GenerateEd25519()};
  const DocumentSigner third_{PrivateKey::GenerateEd25519()};
  google::protobuf::RepeatedPtrField<v1::SignedDocument> successions_;
};

TEST_F(Successions, AreFollowedFromAnyKeyOfTheChain) {
  Add(first_, second_.document_key());
  Add(second_, third_.document_key());
  EXPECT_THAT(*Follow(first_),
              ElementsAre(first_.key_id(), second_.key_id(), third_.key_id()));
  EXPECT_THAT(*Follow(second_), ElementsAre(second_.key_id(), third_.key_id()));
  EXPECT_THAT(*Follow(third_), ElementsAre(third_.key_id()));
}

TEST_F(Successions, OfAStrangerNameNobody) {
  Add(second_, third_.document_key());
  EXPECT_THAT(*Follow(first_), ElementsAre(first_.key_id()));
}

TEST_F(Successions, ThatWereChangedAreNotBelieved) {
  Add(first_, second_.document_key());
  v1::SignedDocument& forged = *successions_.Add();
  forged = Succession(third_, third_.document_key());
  forged.set_key_id(first_.key_id());
  EXPECT_TRUE(absl::IsUnauthenticated(Follow(first_).status()));
}

TEST_F(Successions, AnotherDocumentIsNone) {
  v1::LicenseDocument license;
  license.set_kind(v1::DOCUMENT_KIND_LICENSE);
  *successions_.Add() = first_.Sign(license);
  EXPECT_TRUE(absl::IsUnauthenticated(Follow(first_).status()));
}

TEST_F(Successions, AKeysIdIsOfItsBytes) {
  v1::DocumentKey key = second_.document_key();
  key.set_key_id(third_.key_id());
  Add(first_, key);
  EXPECT_TRUE(absl::IsUnauthenticated(Follow(first_).status()));
}

}  // namespace
}  // namespace mc::agent

#include "mc-service/cli/document_keys.h"

#include <filesystem>
#include <string>

#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/files/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

class DocumentKeysTest : public testing::Test {
 protected:
  DocumentKeysTest() {
    EXPECT_TRUE(EnsurePrivateDirectory(dir_.File("keys")).ok());
    EXPECT_TRUE(AtomicWrite(state_.DocumentKeyFile(),
                            PrivateKey::GenerateEd25519().ToPem(), 0600)
                    .ok());
  }
  std::string KeyInUse() const {
    return DocumentSigner(
               *PrivateKey::FromPem(*ReadPrivateFile(state_.DocumentKeyFile())))
        .key_id();
  }
  RotatedKey Rotate() const {
    const auto rotated = RotateDocumentKey(state_, kNow);
    EXPECT_TRUE(rotated.ok()) << rotated.status();
    return rotated.value_or(RotatedKey{});
  }
  DocumentKeyHistory History() const { return *ReadDocumentKeyHistory(state_); }
  // Each succession is signed by a key that is known by then; returns the
  // last successor.
  std::string FollowFrom(const std::string& first) const {
    const DocumentKeyHistory history = History();
    std::string last = first;
    for (const v1::SignedDocument& succession : history.successions) {
      EXPECT_EQ(succession.key_id(), last);
      const auto document = VerifyDocument<v1::KeySuccessionDocument>(
          succession, history.keys, v1::DOCUMENT_KIND_KEY_SUCCESSION);
      EXPECT_TRUE(document.ok()) << document.status();
      if (!document.ok()) break;
      last = document->successor().key_id();
    }
    return last;
  }

  TempDir dir_;
  const StateLayout state_{dir_.path()};
};

TEST_F(DocumentKeysTest, AKeyThatWasNeverRotatedHasNoHistory) {
  EXPECT_TRUE(History().keys.empty());
  EXPECT_TRUE(History().successions.empty());
}

TEST_F(DocumentKeysTest, EachKeyVouchesForTheNext) {
  const std::string first = KeyInUse();
  const RotatedKey second = Rotate();
  EXPECT_EQ(second.predecessor_id, first);
  EXPECT_EQ(KeyInUse(), second.key_id);
  const RotatedKey third = Rotate();
  EXPECT_EQ(third.predecessor_id, second.key_id);
  EXPECT_EQ(KeyInUse(), third.key_id);
  EXPECT_EQ(History().keys.size(), 3u);
  EXPECT_EQ(History().successions.size(), 2u);
  EXPECT_EQ(FollowFrom(first), third.key_id);
  EXPECT_FALSE(FileExists(state_.NextDocumentKeyFile()));
}

TEST_F(DocumentKeysTest, ARotationThatWasCutOffIsFinished) {
  const std::string first = KeyInUse();
  const std::string old_pem = *ReadPrivateFile(state_.DocumentKeyFile());
  // After the key was made, and nothing else.
  ASSERT_TRUE(AtomicWrite(state_.NextDocumentKeyFile(),
                          PrivateKey::GenerateEd25519().ToPem(), 0600)
                  .ok());
  const std::string next_pem = *ReadPrivateFile(state_.NextDocumentKeyFile());
  const RotatedKey second = Rotate();
  EXPECT_EQ(*ReadPrivateFile(state_.DocumentKeyFile()), next_pem);
  // After the history was written, before the key took its place.
  ASSERT_TRUE(AtomicWrite(state_.DocumentKeyFile(), old_pem, 0600).ok());
  ASSERT_TRUE(AtomicWrite(state_.NextDocumentKeyFile(), next_pem, 0600).ok());
  EXPECT_EQ(Rotate().key_id, second.key_id);
  EXPECT_EQ(History().successions.size(), 1u);
  // After it took its place: this one is over, and a new one begins.
  ASSERT_TRUE(AtomicWrite(state_.NextDocumentKeyFile(), next_pem, 0600).ok());
  const RotatedKey third = Rotate();
  EXPECT_EQ(third.predecessor_id, second.key_id);
  EXPECT_NE(third.key_id, second.key_id);
  EXPECT_EQ(FollowFrom(first), third.key_id);
}

TEST_F(DocumentKeysTest, ADamagedHistoryIsNamedAndStays) {
  Rotate();
  ASSERT_TRUE(
      AtomicWrite(state_.DocumentKeyHistoryFile(), "{\"keys\": 1}", 0600).ok());
  const absl::Status status = RotateDocumentKey(state_, kNow).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr(state_.DocumentKeyHistoryFile()));
}

}  // namespace
}  // namespace mc::service

#include "mc-service/domain/license/license_desk.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/crypto/document.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "google/protobuf/util/message_differencer.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

class LicenseDeskTest : public testing::Test {
 protected:
  LicenseDeskTest() {
    License license = SeedLicense(clock_.Now());
    license.ends_at = clock_.Now() + absl::Hours(24);
    const absl::Status seeded = Seed(store_, license, {"cluster-1"});
    EXPECT_TRUE(seeded.ok()) << seeded;
  }

  LicenseDesk Desk() {
    return LicenseDesk({.store = &store_,
                        .signer = &signer_,
                        .clock = &clock_,
                        .next_interval = next_interval_,
                        .key_successions = key_successions_});
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  FakeStore store_;
  const DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  std::optional<absl::Duration> next_interval_;
  std::vector<v1::SignedDocument> key_successions_;
};

TEST_F(LicenseDeskTest, TypedAndSignedLicenseAreTheSame) {
  const auto answer = Desk().Check("cluster-1");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->license().cluster_id(), "cluster-1");
  EXPECT_EQ(answer->license().account_name(), "Acme");
  EXPECT_EQ(answer->license().status(), v1::LICENSE_STATUS_ACTIVE);
  const v1::DocumentKey keys[] = {signer_.document_key()};
  const auto verified = VerifyDocument<v1::LicenseDocument>(
      answer->signed_license(), keys, v1::DOCUMENT_KIND_LICENSE);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      *verified, answer->license()));
}

TEST_F(LicenseDeskTest, AnswersWhateverTheStateOfTheLicense) {
  clock_.Advance(absl::Hours(24));
  auto answer = Desk().Check("cluster-1");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->license().status(), v1::LICENSE_STATUS_EXPIRED);
  ASSERT_TRUE(store_
                  .WriteAndWait([](Writer& writer) {
                    return writer.SetLicenseState("license-1",
                                                  v1::LICENSE_STATE_REVOKED);
                  })
                  .ok());
  answer = Desk().Check("cluster-1");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->license().status(), v1::LICENSE_STATUS_REVOKED);
}

TEST_F(LicenseDeskTest, ClusterThatIsNotRegisteredIsDenied) {
  const auto answer = Desk().Check("cluster-2");
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(answer.status()), v1::ERROR_REASON_IDENTITY_UNKNOWN);
}

TEST_F(LicenseDeskTest, HintsWhenToCheckAgainOnlyWhereConfigured) {
  EXPECT_FALSE(Desk().Check("cluster-1")->has_pacing());
  next_interval_ = absl::Minutes(2);
  EXPECT_EQ(Desk().Check("cluster-1")->pacing().next_interval().seconds(), 120);
}

TEST_F(LicenseDeskTest, TellsTheTimeAndTheKeysThatFollow) {
  auto answer = Desk().Check("cluster-1");
  EXPECT_EQ(answer->service_time().seconds(),
            absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(answer->key_successions_size(), 0);
  key_successions_.emplace_back().set_key_id("first");
  key_successions_.emplace_back().set_key_id("second");
  answer = Desk().Check("cluster-1");
  ASSERT_EQ(answer->key_successions_size(), 2);
  EXPECT_EQ(answer->key_successions(0).key_id(), "first");
}

}  // namespace
}  // namespace mc::service

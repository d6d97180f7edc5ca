#include "mc-service/domain/access/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "mc-service/domain/enrollment/enrollment_policy.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

class TokensTest : public testing::Test {
 protected:
  TokensTest() {
    const absl::Status seeded = Seed(store_, SeedLicense(kNow), {});
    EXPECT_TRUE(seeded.ok()) << seeded;
  }

  static v1::CreateEnrollmentTokenRequest Request(absl::Duration lifetime) {
    v1::CreateEnrollmentTokenRequest request;
    request.set_license_id("license-1");
    *request.mutable_lifetime() = ToProto(lifetime);
    return request;
  }

  FakeStore store_;
};

TEST_F(TokensTest, TokenIsShownOnceAndKeptAsItsDigest) {
  v1::CreateEnrollmentTokenRequest request;
  request.set_license_id("license-1");
  const auto made = CreateEnrollmentToken(store_, request, kNow);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->token.size(), 4u + 43u) << "32 bytes in base64url";
  EXPECT_EQ(made->row.digest, EnrollmentTokenDigest(made->token));
  EXPECT_EQ(made->row.expires_at, kNow + absl::Hours(24));
  const absl::Status read = store_.Read([&](Reader& reader) {
    const auto stored =
        reader.FindEnrollmentToken(EnrollmentTokenDigest(made->token));
    if (stored.ok()) {
      EXPECT_EQ(stored->id, made->row.id);
    }
    return stored.status();
  });
  EXPECT_TRUE(read.ok()) << read;
}

TEST_F(TokensTest, LifetimeHasBounds) {
  for (const absl::Duration lifetime :
       {absl::ZeroDuration(), -absl::Seconds(1),
        absl::Hours(24 * 90) + absl::Seconds(1)}) {
    EXPECT_EQ(
        ReasonOf(
            CreateEnrollmentToken(store_, Request(lifetime), kNow).status()),
        v1::ERROR_REASON_INVALID_FIELD)
        << lifetime;
  }
  for (const absl::Duration lifetime :
       {absl::Seconds(1), absl::Hours(24 * 90)}) {
    const auto made = CreateEnrollmentToken(store_, Request(lifetime), kNow);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->row.expires_at, kNow + lifetime);
  }
}

TEST_F(TokensTest, LicenseMustBeThereAndNotRevoked) {
  v1::CreateEnrollmentTokenRequest request = Request(absl::Hours(1));
  request.set_license_id("other");
  EXPECT_EQ(ReasonOf(CreateEnrollmentToken(store_, request, kNow).status()),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
  ASSERT_TRUE(
      ChangeLicenseState(store_, "license-1", v1::LICENSE_STATE_REVOKED).ok());
  EXPECT_EQ(
      ReasonOf(CreateEnrollmentToken(store_, Request(absl::Hours(1)), kNow)
                   .status()),
      v1::ERROR_REASON_LICENSE_REVOKED);
}

TEST_F(TokensTest, DeletionIsIdempotent) {
  const auto made =
      CreateEnrollmentToken(store_, Request(absl::Hours(1)), kNow);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(DeleteEnrollmentToken(store_, made->row.id).ok());
  EXPECT_TRUE(DeleteEnrollmentToken(store_, made->row.id).ok());
  EXPECT_EQ(ReasonOf(DeleteEnrollmentToken(store_, "never")),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

}  // namespace
}  // namespace mc::service

#include "mc-service/domain/access/approval.h"

#include <gtest/gtest.h>

#include "common/status/status.h"
#include "mc-service/domain/fleet/licensing.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

class ApprovalTest : public testing::Test {
 protected:
  ApprovalTest() {
    License license = SeedLicense(kNow);
    license.limits.set_clusters(2);
    const absl::Status seeded = Seed(store_, license, {"c1", "c2"});
    EXPECT_TRUE(seeded.ok()) << seeded;
  }

  Cluster Stored(std::string_view id) {
    Cluster cluster;
    const absl::Status read = store_.Read([&](Reader& reader) {
      auto found = reader.GetCluster(id);
      if (found.ok()) cluster = *std::move(found);
      return found.status();
    });
    EXPECT_TRUE(read.ok()) << read;
    return cluster;
  }

  void Set(std::string_view id, v1::RegistrationStatus registration) {
    Cluster cluster = Stored(id);
    cluster.registration = registration;
    const absl::Status written = store_.WriteAndWait(
        [&](Writer& writer) { return writer.PutCluster(cluster); });
    EXPECT_TRUE(written.ok()) << written;
  }

  absl::Status Approve(std::string_view id) {
    return ApproveRegistration(store_, id, kNow + absl::Hours(1));
  }

  FakeStore store_;
};

TEST_F(ApprovalTest, OneThatWaitsIsRegisteredFromNowOn) {
  Set("c1", v1::REGISTRATION_STATUS_PENDING);
  EXPECT_TRUE(Approve("c1").ok());
  EXPECT_EQ(Stored("c1").registration, v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(Stored("c1").registered_at, kNow + absl::Hours(1));
}

TEST_F(ApprovalTest, OneThatIsRegisteredStaysAsItIs) {
  for (const auto registration :
       {v1::REGISTRATION_STATUS_REGISTERED, v1::REGISTRATION_STATUS_REOPENED}) {
    Set("c1", registration);
    EXPECT_TRUE(Approve("c1").ok());
    EXPECT_EQ(Stored("c1").registration, registration);
    EXPECT_EQ(Stored("c1").registered_at, kNow);
  }
}

TEST_F(ApprovalTest, RefusalIsForGood) {
  Set("c1", v1::REGISTRATION_STATUS_PENDING);
  EXPECT_TRUE(RevokeCluster(store_, "c1").ok());
  EXPECT_EQ(ReasonOf(Approve("c1")), v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_EQ(ReasonOf(Approve("c9")), v1::ERROR_REASON_UNKNOWN_RESOURCE);
}

TEST_F(ApprovalTest, LicenseMustHaveRoom) {
  const absl::Status added = store_.WriteAndWait([&](Writer& writer) {
    Cluster cluster = Stored("c1");
    cluster.id = "c3";
    cluster.registration = v1::REGISTRATION_STATUS_PENDING;
    return writer.PutCluster(cluster);
  });
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_EQ(ReasonOf(Approve("c3")), v1::ERROR_REASON_LICENSE_CLUSTER_LIMIT);
  EXPECT_EQ(Stored("c3").registration, v1::REGISTRATION_STATUS_PENDING);
  EXPECT_TRUE(RevokeCluster(store_, "c1").ok());
  EXPECT_TRUE(Approve("c3").ok());
}

TEST_F(ApprovalTest, OneThatWaitsIsNotReopened) {
  Set("c1", v1::REGISTRATION_STATUS_PENDING);
  EXPECT_EQ(ReasonOf(ReopenRegistration(store_, "c1")),
            v1::ERROR_REASON_REGISTRATION_PENDING);
}

}  // namespace
}  // namespace mc::service

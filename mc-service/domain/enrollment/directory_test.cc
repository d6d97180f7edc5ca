#include "mc-service/domain/enrollment/directory.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "common/status/status.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

// A cache over a table of numbers that counts its loads.
class RowCacheTest : public testing::Test {
 protected:
  absl::StatusOr<int> Find(std::string_view key) { return cache_.Find(key); }

  SimulatedClock clock_{kNow};
  int value_ = 1;
  int loads_ = 0;
  absl::Status failure_;
  std::function<void()> during_load_ = [] {};
  RowCache<int> cache_{{.store = nullptr, .clock = &clock_, .max_rows = 2},
                       [this](std::string_view) -> absl::StatusOr<int> {
                         ++loads_;
                         const int value = value_;
                         during_load_();
                         if (!failure_.ok()) return failure_;
                         return value;
                       }};
};

TEST_F(RowCacheTest, LoadsOnceUntilTheRowIsTooOld) {
  EXPECT_EQ(*Find("a"), 1);
  value_ = 2;
  clock_.Advance(absl::Seconds(30) - absl::Nanoseconds(1));
  EXPECT_EQ(*Find("a"), 1);
  EXPECT_EQ(loads_, 1);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(*Find("a"), 2);
}

TEST_F(RowCacheTest, InvalidatedRowIsLoadedAgain) {
  EXPECT_EQ(*Find("a"), 1);
  value_ = 2;
  cache_.Invalidate("b");
  EXPECT_EQ(*Find("a"), 1);
  cache_.Invalidate("a");
  EXPECT_EQ(*Find("a"), 2);
}

TEST_F(RowCacheTest, RowThatChangedWhileItWasLoadedIsNotKept) {
  during_load_ = [this] {
    value_ = 2;
    cache_.Invalidate("a");
  };
  EXPECT_EQ(*Find("a"), 1);
  during_load_ = [] {};
  EXPECT_EQ(*Find("a"), 2);
}

TEST_F(RowCacheTest, OldestRowMakesRoom) {
  EXPECT_TRUE(Find("a").ok());
  EXPECT_TRUE(Find("b").ok());
  EXPECT_TRUE(Find("c").ok());
  EXPECT_EQ(loads_, 3);
  EXPECT_TRUE(Find("b").ok());
  EXPECT_TRUE(Find("c").ok());
  EXPECT_EQ(loads_, 3);
  EXPECT_TRUE(Find("a").ok());
  EXPECT_EQ(loads_, 4);
}

TEST_F(RowCacheTest, FailedLoadIsNotKept) {
  failure_ = absl::UnavailableError("the disk is gone");
  EXPECT_EQ(Find("a").status(), failure_);
  failure_ = absl::OkStatus();
  EXPECT_EQ(*Find("a"), 1);
}

TEST_F(RowCacheTest, ClockThatIsSetBackKeepsNothingForever) {
  EXPECT_EQ(*Find("a"), 1);
  value_ = 2;
  clock_.SetNow(kNow - absl::Hours(1));
  EXPECT_EQ(*Find("a"), 2);
}

class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() {
    const absl::Status seeded = Seed(store_, SeedLicense(kNow), {});
    EXPECT_TRUE(seeded.ok()) << seeded;
  }

  void Write(Store::WriteWork work) {
    const absl::Status written = store_.WriteAndWait(std::move(work));
    EXPECT_TRUE(written.ok()) << written;
  }

  void PutCluster(v1::RegistrationStatus registration) {
    Cluster cluster;
    cluster.id = "cluster-1";
    cluster.license_id = "license-1";
    cluster.registration = registration;
    cluster.registered_at = kNow;
    Write([&](Writer& writer) { return writer.PutCluster(cluster); });
  }

  absl::StatusCode CodeOf(std::string_view cluster_id) {
    return clusters_.CheckRegistered(cluster_id).code();
  }
  v1::ErrorReason ReasonFor(std::string_view cluster_id) {
    return ReasonOf(clusters_.CheckRegistered(cluster_id));
  }

  SimulatedClock clock_{kNow};
  FakeStore store_;
  ClusterDirectory clusters_{{.store = &store_, .clock = &clock_}};
  OperatorDirectory operators_{{.store = &store_, .clock = &clock_}};
};

TEST_F(DirectoryTest, OnlyRegisteredClustersMayCall) {
  EXPECT_EQ(CodeOf("cluster-1"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonFor("cluster-1"), v1::ERROR_REASON_IDENTITY_UNKNOWN);
  PutCluster(v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_EQ(CodeOf("cluster-1"), absl::StatusCode::kOk);
  PutCluster(v1::REGISTRATION_STATUS_REOPENED);
  clusters_.Invalidate("cluster-1");
  EXPECT_EQ(CodeOf("cluster-1"), absl::StatusCode::kOk)
      << "until other keys take over";
  PutCluster(v1::REGISTRATION_STATUS_PENDING);
  clusters_.Invalidate("cluster-1");
  EXPECT_EQ(CodeOf("cluster-1"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonFor("cluster-1"), v1::ERROR_REASON_REGISTRATION_PENDING);
}

TEST_F(DirectoryTest, RevocationIsSeenAtOnceHereAndSoonElsewhere) {
  PutCluster(v1::REGISTRATION_STATUS_REGISTERED);
  ClusterDirectory elsewhere({.store = &store_, .clock = &clock_});
  EXPECT_TRUE(clusters_.CheckRegistered("cluster-1").ok());
  EXPECT_TRUE(elsewhere.CheckRegistered("cluster-1").ok());
  PutCluster(v1::REGISTRATION_STATUS_REVOKED);
  clusters_.Invalidate("cluster-1");
  EXPECT_EQ(CodeOf("cluster-1"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonFor("cluster-1"), v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_EQ(clusters_.Find("cluster-1")->registration,
            v1::REGISTRATION_STATUS_REVOKED);
  clock_.Advance(absl::Seconds(30));
  EXPECT_EQ(ReasonOf(elsewhere.CheckRegistered("cluster-1")),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(DirectoryTest, OperatorHasTheRoleOfTheStore) {
  const absl::Status unknown = operators_.Find("anna").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(unknown), v1::ERROR_REASON_IDENTITY_UNKNOWN);
  Write([](Writer& writer) {
    return writer.PutOperator({"anna", Role::kOperator});
  });
  EXPECT_EQ(operators_.Find("anna")->role, Role::kOperator);
}

}  // namespace
}  // namespace mc::service

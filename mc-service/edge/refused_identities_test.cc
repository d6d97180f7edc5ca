#include "mc-service/edge/refused_identities.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

absl::Status Seed(Writer& writer, int clusters) {
  Account account;
  account.id = "account";
  account.name = "A";
  absl::Status status = writer.InsertAccount(account);
  License license;
  license.id = "license";
  license.account_id = "account";
  license.name = "L";
  license.key_digest = std::string(32, 'k');
  status.Update(writer.InsertLicense(license));
  for (int i = 0; i < clusters; ++i) {
    Cluster cluster;
    cluster.id = absl::StrCat("cluster-", i);
    cluster.license_id = license.id;
    if (i % 3 == 0) cluster.registration = v1::REGISTRATION_STATUS_REVOKED;
    status.Update(writer.PutCluster(cluster));
  }
  return status;
}

TEST(RefusedIdentities, AreTheRevokedOnesOfTheStoreWhateverItsSize) {
  FakeStore store;
  constexpr int kClusters = 2500;
  ASSERT_TRUE(
      store.WriteAndWait([](Writer& writer) { return Seed(writer, kClusters); })
          .ok());
  RefusedIdentities refused;
  ASSERT_TRUE(refused.Load(&store).ok());
  EXPECT_EQ(refused.size(), (kClusters + 2) / 3);
  EXPECT_TRUE(refused.Contains("cluster-0"));
  EXPECT_TRUE(refused.Contains("cluster-2499"));
  EXPECT_FALSE(refused.Contains("cluster-1"));
  EXPECT_FALSE(refused.Contains("unknown"));
}

TEST(RefusedIdentities, FollowChanges) {
  RefusedIdentities refused;
  const auto denied = [](v1::ErrorReason reason) {
    return Error(absl::StatusCode::kPermissionDenied, reason, "Denied.");
  };
  refused.Update("a", denied(v1::ERROR_REASON_IDENTITY_REVOKED));
  EXPECT_TRUE(refused.Contains("a"));
  // The store did not answer: nothing is known anew.
  refused.Update("a", absl::UnavailableError("store"));
  refused.Update("b", absl::UnavailableError("store"));
  // It has a reason that the Guard can tell.
  refused.Update("b", denied(v1::ERROR_REASON_IDENTITY_UNKNOWN));
  EXPECT_TRUE(refused.Contains("a"));
  EXPECT_FALSE(refused.Contains("b"));
  refused.Update("a", absl::OkStatus());
  EXPECT_FALSE(refused.Contains("a"));
}

}  // namespace
}  // namespace mc::service

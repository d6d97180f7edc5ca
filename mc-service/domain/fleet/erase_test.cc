#include "mc-service/domain/fleet/erase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status/status.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

using ::testing::ElementsAre;

class EraseTest : public ::testing::Test {
 protected:
  EraseTest() {
    EXPECT_TRUE(
        Seed(store_, SeedLicense(absl::UnixEpoch()), {"cluster-1"}).ok());
    options_.store = &store_;
    options_.cluster_changed = [this](std::string_view id) {
      changed_.emplace_back(id);
    };
  }

  void Revoke() {
    EXPECT_TRUE(store_
                    .WriteAndWait([](Writer& writer) {
                      return writer.SetLicenseState("license-1",
                                                    v1::LICENSE_STATE_REVOKED);
                    })
                    .ok());
  }

  bool AccountIsThere() {
    return store_
        .Read([](Reader& reader) {
          return reader.GetAccount("account-1").status();
        })
        .ok();
  }

  FakeStore store_;
  EraseOptions options_;
  std::vector<std::string> changed_;
};

TEST_F(EraseTest, ALicenseThatIsNotRevokedKeepsTheAccount) {
  const absl::Status status =
      EraseAccount(options_, "account-1", "Acme").status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_LICENSE_STILL_VALID);
  EXPECT_TRUE(AccountIsThere());
  EXPECT_TRUE(changed_.empty());
}

TEST_F(EraseTest, AnotherNameKeepsTheAccount) {
  Revoke();
  const absl::Status status =
      EraseAccount(options_, "account-1", "acme").status();
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_TRUE(AccountIsThere());
}

TEST_F(EraseTest, TellsOfTheClustersAndCounts) {
  Revoke();
  const auto erased = EraseAccount(options_, "account-1", "Acme");
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->licenses, 1);
  EXPECT_EQ(erased->clusters, 1);
  EXPECT_THAT(changed_, ElementsAre("cluster-1", "cluster-1"));
  EXPECT_FALSE(AccountIsThere());
  EXPECT_TRUE(
      absl::IsNotFound(EraseAccount(options_, "account-1", "Acme").status()));
}

}  // namespace
}  // namespace mc::service

#include "cluster-agent/doctor/renewal_check.h"

#include <fstream>

#include "cluster-agent/state/state_directory.h"
#include "common/files/temp_dir.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

TEST(RenewalCheck, OneThatTakesLongIsTold) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const TempDir parent;
  const std::string path = parent.File("state");
  auto state = StateDirectory::Open(path);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(CheckRenewal(path, now).outcome, Outcome::kOk);
  ASSERT_TRUE(state->DrawRenewal(now).ok());
  EXPECT_EQ(CheckRenewal(path, now + absl::Minutes(59)).outcome, Outcome::kOk);
  const CheckResult late = CheckRenewal(path, now + absl::Minutes(61));
  EXPECT_EQ(late.outcome, Outcome::kWarning);
  EXPECT_NE(late.detail.find("is asked for"), std::string::npos);
  std::ofstream(path + "/renewal.json") << "nonsense";
  EXPECT_EQ(CheckRenewal(path, now).outcome, Outcome::kFailed);
}

}  // namespace
}  // namespace mc::agent

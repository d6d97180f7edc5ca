#include "common/failpoint/failpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "common/files/files.h"
#include "common/files/temp_dir.h"

namespace mc::failpoint {
namespace {

class FailpointTest : public testing::Test {
 protected:
  void Activate(const std::string& points) {
    setenv("MC_FAILPOINTS", points.c_str(), 1);
    setenv("MC_FAILPOINTS_FILE", file().c_str(), 1);
    Reset();
  }
  ~FailpointTest() override {
    unsetenv("MC_FAILPOINTS");
    unsetenv("MC_FAILPOINTS_FILE");
    Reset();
  }
  std::string file() const { return folder_.File("reached"); }
  std::string Reached() const { return ReadFile(file()).value_or(""); }

  TempDir folder_;
};

TEST_F(FailpointTest, NothingHappensUnasked) {
  Activate("");
  EXPECT_TRUE(MC_FAILPOINT_STATUS("here").ok());
  Activate("there=error");
  EXPECT_TRUE(MC_FAILPOINT_STATUS("here").ok());
  EXPECT_EQ(Reached(), "");
}

TEST_F(FailpointTest, FailsAtTheTimeAskedForAlone) {
  Activate("there=count,here=error@2");
  EXPECT_TRUE(MC_FAILPOINT_STATUS("here").ok());
  EXPECT_TRUE(absl::IsUnavailable(MC_FAILPOINT_STATUS("here")));
  EXPECT_TRUE(MC_FAILPOINT_STATUS("here").ok());
  EXPECT_EQ(Reached(), "here error\n");
}

TEST_F(FailpointTest, FailsAsOftenAsIsProbable) {
  Activate("here=error%30");
  int failed = 0;
  for (int i = 0; i < 1000; ++i) {
    failed += MC_FAILPOINT_STATUS("here").ok() ? 0 : 1;
  }
  EXPECT_GT(failed, 200);
  EXPECT_LT(failed, 400);
}

TEST_F(FailpointTest, AKillIsNotedBeforeItHappens) {
  Activate("here=kill");
  EXPECT_EXIT(MC_FAILPOINT("here"), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(Reached(), "here kill\n");
}

TEST_F(FailpointTest, AMisspeltActionEndsTheProcess) {
  EXPECT_DEATH(Activate("here=kil"), "cannot be read");
  EXPECT_DEATH(Activate("here"), "cannot be read");
}

}  // namespace
}  // namespace mc::failpoint

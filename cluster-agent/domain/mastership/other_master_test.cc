#include "cluster-agent/domain/mastership/other_master.h"

#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;

constexpr absl::Duration kWindow = absl::Minutes(3);

class OtherMasterTest : public testing::Test {
 protected:
  void End(v1::ErrorReason reason, absl::Duration later) {
    clock_.Advance(later);
    other_.StreamEnded(reason);
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  OtherMaster other_{&clock_, kWindow};
};

TEST_F(OtherMasterTest, OnceSupersededIsNobody) {
  EXPECT_EQ(other_.Text(), "");
  for (int i = 0; i < 3; ++i) {
    End(v1::ERROR_REASON_SUPERSEDED, kWindow + absl::Seconds(1));
    End(v1::ERROR_REASON_UNSPECIFIED, absl::Seconds(1));
    EXPECT_EQ(other_.Text(), "");
  }
}

TEST_F(OtherMasterTest, TwiceWithinTheWindowIsAnother) {
  End(v1::ERROR_REASON_SUPERSEDED, absl::Minutes(5));
  End(v1::ERROR_REASON_SUPERSEDED, kWindow);
  EXPECT_THAT(other_.Text(), HasSubstr("stop one of the two"));
  clock_.Advance(kWindow);
  EXPECT_NE(other_.Text(), "");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(other_.Text(), "") << "it is gone";
}

TEST_F(OtherMasterTest, TheServicesWordIsEnough) {
  End(v1::ERROR_REASON_CLONE_SUSPECTED, absl::Minutes(5));
  EXPECT_THAT(other_.Text(), HasSubstr("state_directory"));
}

TEST_F(OtherMasterTest, ANodeNamesIt) {
  other_.SeenByNode("instance-2");
  EXPECT_THAT(other_.Text(), HasSubstr("instance-2"));
}

bool Tells(const char* instance, absl::Duration age,
           absl::Duration since_start = absl::Hours(1)) {
  v1::NodeHello hello;
  hello.set_last_master_instance_id(instance);
  *hello.mutable_last_master_contact_age() = mc::ToProto(age);
  return IsOtherMaster(hello, "own", absl::Seconds(90), since_start);
}

TEST(IsOtherMaster, AnotherThatAnsweredAfterOurStartIsOne) {
  EXPECT_TRUE(Tells("other", absl::ZeroDuration()));
  EXPECT_TRUE(Tells("other", absl::Seconds(89)));
  EXPECT_FALSE(Tells("other", absl::Seconds(90))) << "long gone";
  EXPECT_FALSE(Tells("own", absl::Seconds(1)));
  EXPECT_FALSE(Tells("", absl::Seconds(1))) << "the node's first master";
  EXPECT_FALSE(Tells("other", absl::Seconds(-1)));
}

TEST(IsOtherMaster, WhoAnsweredBeforeOurStartWasTheOneBefore) {
  EXPECT_FALSE(Tells("before", absl::Seconds(30), absl::Seconds(20)));
  EXPECT_FALSE(Tells("before", absl::Seconds(20), absl::Seconds(20)));
  EXPECT_FALSE(Tells("before", absl::Seconds(19), absl::Seconds(20)))
      << "the Hello may have been under way";
  EXPECT_TRUE(Tells("other", absl::Seconds(5), absl::Seconds(20)));
}

}  // namespace
}  // namespace mc::agent

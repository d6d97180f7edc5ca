#include "common/license/simulation.h"

#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);

TEST(ParseDays, TakesDaysBesideTheOthers) {
  EXPECT_EQ(*ParseDays("--offline", "20d"), absl::Hours(480));
  EXPECT_EQ(*ParseDays("--offline", "1d12h"), absl::Hours(36));
  EXPECT_EQ(*ParseDays("--offline", "90m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDays("--offline", "0"), absl::ZeroDuration());
  for (const char* wrong :
       {"", "d", "-1d", "20", "x", "1d-25h", "99999999d", "inf"}) {
    EXPECT_FALSE(ParseDays("--offline", wrong).ok()) << wrong;
  }
  EXPECT_EQ(DaysText(absl::Hours(36)), "1d12h");
  EXPECT_EQ(DaysText(absl::Hours(480)), "20d");
  EXPECT_EQ(DaysText(absl::Seconds(5)), "5s");
}

TEST(SimulatedLicense, NamesWhatIsWrong) {
  EXPECT_THAT(
      std::string(SimulatedLicense({.model = "gold"}).status().message()),
      HasSubstr("--model"));
  EXPECT_THAT(
      std::string(SimulatedLicense({.model = "trial", .ends_at = "tomorrow"})
                      .status()
                      .message()),
      HasSubstr("--ends-at"));
  EXPECT_THAT(std::string(SimulatedLicense({.model = "trial", .grace = "long"})
                              .status()
                              .message()),
              HasSubstr("--grace"));
}

TEST(Simulate, TellsWhatHappensWhen) {
  const auto license =
      SimulatedLicense({.model = "trial", .ends_at = "2026-05-20T10:00:00Z"});
  ASSERT_TRUE(license.ok()) << license.status();
  const LicenseSituation situation = {.license = &*license,
                                      .now = kNow,
                                      .anchored = kNow,
                                      .offline = absl::ZeroDuration(),
                                      .unreachable = true};
  const auto text = Simulate(situation, absl::Hours(240), false);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, HasSubstr("7d       OVERAGE_DISALLOWED"));
  EXPECT_THAT(*text, HasSubstr("After 10d: OVERAGE_DISALLOWED"));
  EXPECT_THAT(*text, Not(HasSubstr("EXPIRED")));
  const auto json = Simulate(situation, absl::Hours(480), true);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(*json, HasSubstr("\"LICENSE_STANDING_EXPIRED\""));
  EXPECT_THAT(*json, HasSubstr("\"1728000s\""));
}

}  // namespace
}  // namespace mc

#include "common/license/outage.h"

#include <string>

#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'777'888'800);
constexpr absl::Duration kDay = absl::Hours(24);
constexpr absl::Duration kSecond = absl::Seconds(1);

v1::LicenseDocument Active(v1::LicenseModel model) {
  v1::LicenseDocument license;
  license.set_status(v1::LICENSE_STATUS_ACTIVE);
  license.set_model(model);
  license.mutable_limits()->set_overage(v1::OVERAGE_RULE_ALLOWED);
  return license;
}

LicenseSituation Outage(const v1::LicenseDocument& license,
                        absl::Duration offline) {
  return {.license = &license,
          .now = kNow + offline,
          .anchored = kNow + offline,
          .offline = offline,
          .unreachable = true};
}

struct GraceCase {
  v1::LicenseModel model;
  absl::Duration grace;
};

class Grace : public testing::TestWithParam<GraceCase> {};

TEST_P(Grace, DisallowsOverageAtItsEndAndNothingElse) {
  const v1::LicenseDocument license = Active(GetParam().model);
  const absl::Duration grace = GetParam().grace;
  const v1::LicenseAnswer before =
      JudgeLicense(Outage(license, grace - kSecond));
  EXPECT_EQ(before.standing(), v1::LICENSE_STANDING_GRACE);
  EXPECT_TRUE(before.monitoring_allowed());
  EXPECT_TRUE(before.overage_allowed());
  EXPECT_EQ(*FromProto(before.until()), kNow + grace);
  EXPECT_EQ(before.next_standing(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
  EXPECT_EQ(*FromProto(before.offline()), grace - kSecond);
  for (const absl::Duration offline : {grace, grace + kSecond, 35 * kDay}) {
    const v1::LicenseAnswer after = JudgeLicense(Outage(license, offline));
    EXPECT_EQ(after.standing(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
    EXPECT_TRUE(after.monitoring_allowed());
    EXPECT_FALSE(after.overage_allowed());
    EXPECT_FALSE(after.has_until());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, Grace,
    testing::Values(GraceCase{v1::LICENSE_MODEL_CLASSIC, 14 * kDay},
                    GraceCase{v1::LICENSE_MODEL_TRIAL, 7 * kDay}));

TEST(Outage, TheDocumentsGracePeriodGoesBeforeTheModels) {
  v1::LicenseDocument license = Active(v1::LICENSE_MODEL_TRIAL);
  *license.mutable_grace_period() = ToProto(3 * kSecond);
  EXPECT_EQ(JudgeLicense(Outage(license, 2 * kSecond)).standing(),
            v1::LICENSE_STANDING_GRACE);
  EXPECT_EQ(JudgeLicense(Outage(license, 3 * kSecond)).standing(),
            v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
}

TEST(Outage, ASubscriptionGoesOnWithoutALimit) {
  v1::LicenseDocument license = Active(v1::LICENSE_MODEL_SUBSCRIPTION);
  license.mutable_limits()->set_overage(v1::OVERAGE_RULE_NOT_ALLOWED);
  *license.mutable_grace_period() = ToProto(kDay);
  for (const absl::Duration offline :
       {absl::ZeroDuration(), 14 * kDay - kSecond, 14 * kDay,
        14 * kDay + kSecond, 35 * kDay, 3650 * kDay}) {
    const v1::LicenseAnswer answer = JudgeLicense(Outage(license, offline));
    EXPECT_EQ(answer.standing(), v1::LICENSE_STANDING_ACTIVE);
    EXPECT_TRUE(answer.monitoring_allowed());
    EXPECT_TRUE(answer.overage_allowed());
    EXPECT_FALSE(answer.has_until());
  }
}

TEST(Outage, OverageIsAllowedWhereTheLicenseAllowsIt) {
  v1::LicenseDocument license = Active(v1::LICENSE_MODEL_CLASSIC);
  license.mutable_limits()->set_overage(v1::OVERAGE_RULE_NOT_ALLOWED);
  const v1::LicenseAnswer answer = JudgeLicense(Outage(license, kDay));
  EXPECT_TRUE(answer.monitoring_allowed());
  EXPECT_FALSE(answer.overage_allowed());
}

TEST(Outage, WhileTheServiceAnswersTheLicenseIsActive) {
  const v1::LicenseDocument license = Active(v1::LICENSE_MODEL_CLASSIC);
  LicenseSituation situation = Outage(license, absl::Minutes(4));
  situation.unreachable = false;
  const v1::LicenseAnswer answer = JudgeLicense(situation);
  EXPECT_EQ(answer.standing(), v1::LICENSE_STANDING_ACTIVE);
  EXPECT_EQ(*FromProto(answer.until()), kNow + 14 * kDay);
}

TEST(Outage, WithoutALicenseMonitoringMayGoOn) {
  const v1::LicenseAnswer answer = JudgeLicense({.license = nullptr,
                                                 .now = kNow,
                                                 .anchored = std::nullopt,
                                                 .offline = 100 * kDay,
                                                 .unreachable = true});
  EXPECT_EQ(answer.standing(), v1::LICENSE_STANDING_UNKNOWN);
  EXPECT_TRUE(answer.monitoring_allowed());
  EXPECT_TRUE(answer.overage_allowed());
  EXPECT_FALSE(answer.has_until());
}

TEST(Outage, TheVendorsNoActsWhateverElseHolds) {
  for (const auto& [status, standing] : {
           std::pair(v1::LICENSE_STATUS_EXPIRED, v1::LICENSE_STANDING_EXPIRED),
           std::pair(v1::LICENSE_STATUS_SUSPENDED,
                     v1::LICENSE_STANDING_SUSPENDED),
           std::pair(v1::LICENSE_STATUS_REVOKED, v1::LICENSE_STANDING_REVOKED),
       }) {
    for (const v1::LicenseModel model :
         {v1::LICENSE_MODEL_CLASSIC, v1::LICENSE_MODEL_TRIAL,
          v1::LICENSE_MODEL_SUBSCRIPTION}) {
      v1::LicenseDocument license = Active(model);
      license.set_status(status);
      for (const bool rebooted : {false, true}) {
        for (const absl::Duration offline :
             {absl::ZeroDuration(), kDay, 100 * kDay}) {
          LicenseSituation situation = Outage(license, offline);
          situation.unreachable = offline > absl::ZeroDuration();
          if (rebooted) situation.anchored.reset();
          const v1::LicenseAnswer answer = JudgeLicense(situation);
          EXPECT_EQ(answer.standing(), standing);
          EXPECT_FALSE(answer.monitoring_allowed());
          EXPECT_FALSE(answer.overage_allowed());
          EXPECT_FALSE(answer.has_until());
        }
      }
    }
  }
}

class EndDate : public testing::TestWithParam<v1::LicenseModel> {
 protected:
  EndDate() { *license_.mutable_ends_at() = ToProto(kEnd); }
  LicenseSituation At(absl::Time anchored) {
    return Outage(license_, anchored - kNow);
  }
  const absl::Time kEnd = kNow + 5 * kDay;
  v1::LicenseDocument license_ = Active(GetParam());
};

TEST_P(EndDate, EndsTheLicenseByAnchoredTime) {
  const v1::LicenseAnswer before = JudgeLicense(At(kEnd - kSecond));
  EXPECT_TRUE(before.monitoring_allowed());
  EXPECT_EQ(*FromProto(before.until()), kEnd);
  EXPECT_EQ(before.next_standing(), v1::LICENSE_STANDING_EXPIRED);
  for (const absl::Time time : {kEnd, kEnd + kSecond, kEnd + 90 * kDay}) {
    const v1::LicenseAnswer after = JudgeLicense(At(time));
    EXPECT_EQ(after.standing(), v1::LICENSE_STANDING_EXPIRED);
    EXPECT_FALSE(after.monitoring_allowed());
    EXPECT_THAT(after.reason(), HasSubstr(FormatUtc(kEnd)));
  }
}

TEST_P(EndDate, IsPassedWhileTheServiceIsReachedToo) {
  LicenseSituation situation = At(kEnd);
  situation.unreachable = false;
  situation.offline = absl::Minutes(1);
  EXPECT_EQ(JudgeLicense(situation).standing(), v1::LICENSE_STANDING_EXPIRED);
}

TEST_P(EndDate, NoWallClockPassesIt) {
  LicenseSituation situation = At(kEnd - kSecond);
  situation.now = kEnd + 365 * kDay;
  EXPECT_TRUE(JudgeLicense(situation).monitoring_allowed());
  situation.anchored.reset();
  EXPECT_TRUE(JudgeLicense(situation).monitoring_allowed());
  EXPECT_NE(JudgeLicense(situation).next_standing(),
            v1::LICENSE_STANDING_EXPIRED);
}

TEST_P(EndDate, NoWallClockRevivesALicense) {
  LicenseSituation situation = At(kEnd);
  situation.now = kNow - 365 * kDay;
  EXPECT_EQ(JudgeLicense(situation).standing(), v1::LICENSE_STANDING_EXPIRED);
}

TEST_P(EndDate, ThatWasPassedBeforeARebootDisallowsOverage) {
  LicenseSituation situation = At(kEnd + kDay);
  situation.anchored.reset();
  situation.service_time_passed = kEnd;
  const v1::LicenseAnswer answer = JudgeLicense(situation);
  EXPECT_EQ(answer.standing(), v1::LICENSE_STANDING_OVERAGE_DISALLOWED);
  EXPECT_TRUE(answer.monitoring_allowed());
  EXPECT_FALSE(answer.has_until());
}

INSTANTIATE_TEST_SUITE_P(Models, EndDate,
                         testing::Values(v1::LICENSE_MODEL_CLASSIC,
                                         v1::LICENSE_MODEL_TRIAL,
                                         v1::LICENSE_MODEL_SUBSCRIPTION));

TEST(StartDate, IsReachedByAnchoredTimeAlone) {
  v1::LicenseDocument license = Active(v1::LICENSE_MODEL_CLASSIC);
  license.set_status(v1::LICENSE_STATUS_NOT_STARTED);
  *license.mutable_starts_at() = ToProto(kNow + kDay);
  LicenseSituation situation = Outage(license, kDay - kSecond);
  situation.now = kNow + 365 * kDay;
  v1::LicenseAnswer answer = JudgeLicense(situation);
  EXPECT_EQ(answer.standing(), v1::LICENSE_STANDING_NOT_STARTED);
  EXPECT_FALSE(answer.monitoring_allowed());
  EXPECT_EQ(*FromProto(answer.until()), kNow + kDay);
  EXPECT_EQ(answer.next_standing(), v1::LICENSE_STANDING_GRACE);
  EXPECT_EQ(JudgeLicense(Outage(license, kDay)).standing(),
            v1::LICENSE_STANDING_GRACE);
  situation.anchored.reset();
  EXPECT_EQ(JudgeLicense(situation).standing(),
            v1::LICENSE_STANDING_NOT_STARTED);
}

TEST(Timeline, TellsEachChangeUpToItsHorizon) {
  v1::LicenseDocument license = Active(v1::LICENSE_MODEL_CLASSIC);
  *license.mutable_ends_at() = ToProto(kNow + 30 * kDay);
  const auto standings = [&license](absl::Duration horizon) {
    std::vector<std::pair<absl::Duration, v1::LicenseStanding>> result;
    for (const LicenseChange& change :
         Timeline(Outage(license, absl::ZeroDuration()), horizon)) {
      result.emplace_back(change.after, change.answer.standing());
    }
    return result;
  };
  using testing::ElementsAre;
  using testing::Pair;
  EXPECT_THAT(
      standings(20 * kDay),
      ElementsAre(Pair(absl::ZeroDuration(), v1::LICENSE_STANDING_GRACE),
                  Pair(14 * kDay, v1::LICENSE_STANDING_OVERAGE_DISALLOWED)));
  EXPECT_THAT(
      standings(30 * kDay),
      ElementsAre(Pair(absl::ZeroDuration(), v1::LICENSE_STANDING_GRACE),
                  Pair(14 * kDay, v1::LICENSE_STANDING_OVERAGE_DISALLOWED),
                  Pair(30 * kDay, v1::LICENSE_STANDING_EXPIRED)));
  EXPECT_THAT(standings(30 * kDay - kSecond).size(), 2u);
}

TEST(Timeline, OfALicenseThatEndsWithinItsGraceHasNoOverageDisallowed) {
  v1::LicenseDocument license = Active(v1::LICENSE_MODEL_CLASSIC);
  *license.mutable_ends_at() = ToProto(kNow + kDay);
  const auto changes =
      Timeline(Outage(license, absl::ZeroDuration()), 100 * kDay);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].answer.standing(), v1::LICENSE_STANDING_EXPIRED);
}

}  // namespace
}  // namespace mc

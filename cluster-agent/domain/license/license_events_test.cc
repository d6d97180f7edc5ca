#include "cluster-agent/domain/license/license_events.h"

#include <set>
#include <string>

#include "common/time/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kDay = absl::Hours(24);
const absl::Time kEnd = absl::FromUnixSeconds(1'777'888'800);

class LicenseEventsTest : public testing::Test {
 protected:
  LicenseEventsTest() {
    license_.set_license_id("license-1");
    license_.set_status(v1::LICENSE_STATUS_ACTIVE);
    license_.set_model(v1::LICENSE_MODEL_CLASSIC);
    *license_.mutable_ends_at() = mc::ToProto(kEnd);
  }
  LicenseSituation At(absl::Duration before_end) const {
    return {.license = &license_,
            .now = kEnd - before_end,
            .anchored = kEnd - before_end,
            .offline = offline_};
  }
  std::vector<std::pair<v1::ClusterEventType, v1::Severity>> Told(
      const LicenseSituation& situation) {
    std::vector<std::pair<v1::ClusterEventType, v1::Severity>> told;
    for (const v1::ClusterEvent& event : LicenseEvents(situation, told_)) {
      told.emplace_back(event.type(), event.severity());
      ids_.insert(event.event_id());
    }
    return told;
  }

  static constexpr auto kExpiring = v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRING;
  v1::LicenseDocument license_;
  absl::Duration offline_;
  ToldLicense told_;
  std::set<std::string> ids_;
};

TEST_F(LicenseEventsTest, TheEndIsToldThirtySevenAndOneDaysBefore) {
  EXPECT_THAT(Told(At(30 * kDay + absl::Seconds(1))), IsEmpty());
  EXPECT_EQ(UntilNextWarning(At(30 * kDay + absl::Seconds(1))),
            absl::Seconds(1));
  EXPECT_THAT(Told(At(30 * kDay)),
              ElementsAre(std::pair(kExpiring, v1::SEVERITY_INFO)));
  EXPECT_THAT(Told(At(29 * kDay)), IsEmpty());
  EXPECT_EQ(UntilNextWarning(At(29 * kDay)), 22 * kDay);
  EXPECT_THAT(Told(At(7 * kDay)),
              ElementsAre(std::pair(kExpiring, v1::SEVERITY_WARNING)));
  EXPECT_THAT(Told(At(kDay)),
              ElementsAre(std::pair(kExpiring, v1::SEVERITY_SEVERE)));
  EXPECT_EQ(UntilNextWarning(At(kDay)), absl::InfiniteDuration());
  EXPECT_THAT(Told(At(absl::ZeroDuration())),
              ElementsAre(std::pair(v1::CLUSTER_EVENT_TYPE_LICENSE_EXPIRED,
                                    v1::SEVERITY_SEVERE)));
  EXPECT_THAT(Told(At(-kDay)), IsEmpty());
  EXPECT_EQ(ids_.size(), 4u);
}

TEST_F(LicenseEventsTest, OfSeveralStepsTheNearestIsTold) {
  EXPECT_THAT(Told(At(2 * kDay)),
              ElementsAre(std::pair(kExpiring, v1::SEVERITY_WARNING)));
}

TEST_F(LicenseEventsTest, AnotherEndDateIsToldAnew) {
  EXPECT_EQ(Told(At(5 * kDay)).size(), 1u);
  *license_.mutable_ends_at() = mc::ToProto(kEnd + kDay);
  EXPECT_EQ(Told(At(5 * kDay)).size(), 1u);
  *license_.mutable_ends_at() = mc::ToProto(kEnd + 365 * kDay);
  EXPECT_THAT(Told(At(5 * kDay)), IsEmpty());
}

TEST_F(LicenseEventsTest, WithoutAnchoredTimeNobodyKnowsTheEnd) {
  LicenseSituation situation = At(kDay);
  situation.anchored.reset();
  EXPECT_THAT(Told(situation), IsEmpty());
  EXPECT_EQ(UntilNextWarning(situation), absl::InfiniteDuration());
  EXPECT_EQ(Told(At(kDay)).size(), 1u);
  // A reboot does not tell it again.
  EXPECT_THAT(Told(situation), IsEmpty());
  EXPECT_THAT(Told(At(kDay)), IsEmpty());
}

TEST_F(LicenseEventsTest, WhatIsDeniedOrDisallowedIsToldOnce) {
  license_.clear_ends_at();
  const std::pair inactive(v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE,
                           v1::SEVERITY_SEVERE);
  EXPECT_THAT(Told(At(kDay)), IsEmpty());
  license_.set_status(v1::LICENSE_STATUS_SUSPENDED);
  EXPECT_THAT(Told(At(kDay)), ElementsAre(inactive));
  EXPECT_THAT(Told(At(kDay)), IsEmpty());
  license_.set_status(v1::LICENSE_STATUS_REVOKED);
  EXPECT_THAT(Told(At(kDay)), ElementsAre(inactive));
  license_.set_status(v1::LICENSE_STATUS_ACTIVE);
  EXPECT_THAT(Told(At(kDay)), IsEmpty());
  offline_ = 14 * kDay;
  EXPECT_THAT(Told(At(kDay)),
              ElementsAre(std::pair(v1::CLUSTER_EVENT_TYPE_LICENSE_INACTIVE,
                                    v1::SEVERITY_WARNING)));
}

TEST_F(LicenseEventsTest, WithoutALicenseThereAreNone) {
  EXPECT_THAT(LicenseEvents({.license = nullptr}, told_), IsEmpty());
}

}  // namespace
}  // namespace mc::agent

#include "mc-service/enroll/enrollment_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "missioncontrol/v1/installation.pb.h"
#include "missioncontrol/v1/registration.pb.h"

namespace mc::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace v1 = missioncontrol::v1;

class EnrollmentLimitsTest : public ::testing::Test {
 protected:
  absl::Status Install(const std::string& license_key) {
    v1::InstallRequest request;
    request.set_license_key(license_key);
    return limits_.TakeLicense("192.0.2.7", &request);
  }

  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  Metrics metrics_;
  EnrollmentLimits limits_{{.per_minute_per_address = 3,
                            .per_minute_per_license = 2,
                            .clock = &clock_,
                            .metrics = &metrics_}};
};

TEST_F(EnrollmentLimitsTest, AnAddressHasItsMinutesWorthAndThenADelay) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(limits_.TakeAddress("192.0.2.7").ok());
  }
  const absl::Status refused = limits_.TakeAddress("192.0.2.7");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_RATE_LIMITED);
  EXPECT_EQ(RetryDelayOf(refused), absl::Seconds(20));
  clock_.Advance(absl::Seconds(20));
  EXPECT_TRUE(limits_.TakeAddress("192.0.2.7").ok());
  EXPECT_FALSE(limits_.TakeAddress("192.0.2.7").ok());
}

TEST_F(EnrollmentLimitsTest, OthersAreNotLimitedByOneAddress) {
  for (int i = 0; i < 10; ++i) (void)limits_.TakeAddress("192.0.2.7");
  EXPECT_TRUE(limits_.TakeAddress("192.0.2.8").ok());
  EXPECT_TRUE(limits_.TakeAddress("2001:db8::1").ok());
}

TEST_F(EnrollmentLimitsTest, AddressesOfOneIpv6NetworkCountTogether) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(limits_.TakeAddress(absl::StrCat("2001:db8::", i)).ok());
  }
  EXPECT_FALSE(limits_.TakeAddress("2001:db8::9").ok());
}

TEST_F(EnrollmentLimitsTest, ALicenseIsLimitedOverAllMethodsAndAddresses) {
  const std::string key = GenerateLicenseKey();
  EXPECT_TRUE(Install(key).ok());
  v1::RegisterRequest registration;
  registration.set_license_key(key);
  EXPECT_TRUE(limits_.TakeLicense("198.51.100.1", &registration).ok());
  const absl::Status refused = Install(key);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_RATE_LIMITED);
  EXPECT_EQ(RetryDelayOf(refused), absl::Seconds(30));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr(key)));
  EXPECT_TRUE(Install(GenerateLicenseKey()).ok());
}

TEST_F(EnrollmentLimitsTest, ARequestWithoutALicenseIsNotLimitedByOne) {
  const v1::InstallResponse other;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(limits_.TakeLicense("192.0.2.7", &other).ok());
    EXPECT_TRUE(limits_.TakeLicense("192.0.2.7", nullptr).ok());
  }
}

TEST_F(EnrollmentLimitsTest, GuessesAndRefusalsAreCounted) {
  const absl::Status guess = Error(absl::StatusCode::kNotFound,
                                   v1::ERROR_REASON_LICENSE_KEY_UNKNOWN, "No.");
  limits_.Ended("/S/M", "192.0.2.7", guess);
  limits_.Ended("/S/M", "192.0.2.7", absl::OkStatus());
  for (int i = 0; i < 5; ++i) (void)limits_.TakeAddress("192.0.2.7");
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("mission_control_enrollments_refused_total 1"));
  EXPECT_THAT(
      metrics_.Text(),
      HasSubstr("mission_control_enrollments_limited_by_address_total 2"));
}

}  // namespace
}  // namespace mc::service

#include "mc-service/enroll/enrollment_limits.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/license_key.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "mc-service/enroll/client_address.h"

namespace mc::service {
namespace {

using missioncontrol::v1::ErrorReason;

// Those who are told the same moment come with jitter of their own.
constexpr absl::Duration kShortestDelay = absl::Seconds(1);

RateLimit::Options PerMinute(int calls, const Clock* clock) {
  return {.burst = static_cast<double>(calls),
          .per_second = calls / 60.0,
          .clock = clock};
}

bool AreCredentialsRefused(ErrorReason reason) {
  switch (reason) {
    case missioncontrol::v1::ERROR_REASON_LICENSE_KEY_MALFORMED:
    case missioncontrol::v1::ERROR_REASON_LICENSE_KEY_UNKNOWN:
    case missioncontrol::v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED:
    case missioncontrol::v1::ERROR_REASON_CREDENTIALS_REFUSED:
      return true;
    default:
      return false;
  }
}

}  // namespace

EnrollmentLimits::EnrollmentLimits(const Options& options)
    : by_address_(PerMinute(options.per_minute_per_address, options.clock)),
      by_license_(PerMinute(options.per_minute_per_license, options.clock)),
      lines_({.burst = 20, .per_second = 0.5, .clock = options.clock}),
      limited_by_address_(options.metrics->AddCounter(
          "enrollments_limited_by_address_total",
          "Enrollment calls beyond what one address may make.")),
      limited_by_license_(options.metrics->AddCounter(
          "enrollments_limited_by_license_total",
          "Enrollment calls beyond what one license key may make.")),
      refused_(options.metrics->AddCounter(
          "enrollments_refused_total",
          "Enrollment calls with credentials that are none, or no longer.")) {}

absl::Status EnrollmentLimits::TakeAddress(std::string_view address) {
  return Limited(by_address_.Take(AddressGroup(address)), "address", address,
                 limited_by_address_);
}

absl::Status EnrollmentLimits::TakeLicense(
    std::string_view address, const google::protobuf::Message* request) {
  if (request == nullptr) return absl::OkStatus();
  const google::protobuf::FieldDescriptor* field =
      request->GetDescriptor()->FindFieldByName("license_key");
  if (field == nullptr) return absl::OkStatus();
  const std::string key = request->GetReflection()->GetString(*request, field);
  return Limited(by_license_.Take(LicenseKeyDigest(key)), "license", address,
                 limited_by_license_);
}

absl::Status EnrollmentLimits::Limited(absl::Duration wait,
                                       std::string_view whose,
                                       std::string_view address,
                                       prometheus::Counter& counter) {
  if (wait <= absl::ZeroDuration()) return absl::OkStatus();
  counter.Increment();
  if (lines_.Take(whose) <= absl::ZeroDuration()) {
    LogWarning("an enrollment call was refused: too many",
               {{"of_one", whose}, {"address", address}});
  }
  return WithRetryDelay(
      Error(absl::StatusCode::kResourceExhausted,
            missioncontrol::v1::ERROR_REASON_RATE_LIMITED,
            absl::StrCat("Too many calls of one ",
                         absl::string_view(whose.data(), whose.size()),
                         "; try again after the retry delay.")),
      std::max(wait, kShortestDelay));
}

void EnrollmentLimits::Ended(std::string_view full_method,
                             std::string_view address,
                             const absl::Status& status) {
  if (!AreCredentialsRefused(ReasonOf(status))) return;
  refused_.Increment();
  if (lines_.Take("refused") <= absl::ZeroDuration()) {
    LogWarning("an enrollment call was refused: its credentials are none",
               {{"method", full_method},
                {"address", address},
                {"result", ResultName(status)}});
  }
}

}  // namespace mc::service

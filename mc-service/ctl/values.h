// Values of the command line that are more than a number or a name.
#ifndef MC_SERVICE_CTL_VALUES_H_
#define MC_SERVICE_CTL_VALUES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "missioncontrol/v1/common.pb.h"
#include "missioncontrol/v1/license.pb.h"

namespace mc::service {

// All of them: INVALID_ARGUMENT says what is expected. `option` is the name on
// the command line.

// RFC 3339, for instance 2027-01-01T00:00:00Z.
absl::StatusOr<google::protobuf::Timestamp> TimeValue(const std::string& option,
                                                      const std::string& text);
// --from and --to, of which one may be empty: a period has both ends.
absl::StatusOr<missioncontrol::v1::TimeFrame> PeriodValue(
    const std::string& from, const std::string& to);
// 30s, 5m, 1h, 14d.
absl::StatusOr<google::protobuf::Duration> DurationValue(
    const std::string& option, const std::string& text);
// 10 or 10.5 or 0.25, at most three decimals, as thousandths.
absl::StatusOr<int64_t> MilliValue(const std::string& option,
                                   const std::string& text);
// ID:UNIT[:LIMIT[:allowed|not_allowed]]; an empty or missing LIMIT: unlimited.
absl::StatusOr<missioncontrol::v1::MeterLimit> MeterValue(
    const std::string& text);
// NAME=true, NAME=false or NAME=NUMBER.
absl::StatusOr<missioncontrol::v1::Entitlement> EntitlementValue(
    const std::string& text);

// A thousandth of something, for people: 10, 10.5, 0.075.
std::string MilliText(int64_t milli);

}  // namespace mc::service

#endif  // MC_SERVICE_CTL_VALUES_H_

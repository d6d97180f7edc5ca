// Reads what can be read of a report that does not parse.
#ifndef MC_SERVICE_API_REPORT_BYTES_H_
#define MC_SERVICE_API_REPORT_BYTES_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "missioncontrol/v1/reports.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

struct LenientKey {
  v1::Lane lane = v1::LANE_UNSPECIFIED;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
};

// Lane, epoch and sequence of the report in the bytes of a
// StreamReportsRequest, up to where the bytes break; absent where lane or
// sequence are missing (an epoch of zero is not written).
std::optional<LenientKey> ReadKey(std::string_view request);

}  // namespace mc::service

#endif  // MC_SERVICE_API_REPORT_BYTES_H_

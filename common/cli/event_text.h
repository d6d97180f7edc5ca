// Events as both command lines read and show them.
#ifndef COMMON_CLI_EVENT_TEXT_H_
#define COMMON_CLI_EVENT_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "missioncontrol/v1/events.pb.h"

namespace mc {

// What the event tells beyond its type, for instance "lasted 90s"; empty where
// it has no details.
std::string EventDetails(const missioncontrol::v1::ClusterEvent& event);

// connection_lost, warning. INVALID_ARGUMENT says what is expected.
absl::StatusOr<missioncontrol::v1::ClusterEventType> ParseEventType(
    const std::string& text);
absl::StatusOr<missioncontrol::v1::Severity> ParseSeverity(
    const std::string& text);

}  // namespace mc

#endif  // COMMON_CLI_EVENT_TEXT_H_

// What every event has before it is kept.
#ifndef MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_H_
#define MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "missioncontrol/v1/events.pb.h"

namespace mc::agent {

// Gives it what it lacks of ID, time and severity.
void CompleteEvent(missioncontrol::v1::ClusterEvent& event, absl::Time now);

// INVALID_ARGUMENT (INVALID_FIELD) unless it may leave: a known type and
// severity, and formats that hold.
absl::Status CheckEvent(const missioncontrol::v1::ClusterEvent& event);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_EVENTS_EVENT_H_

// When a consumption report is valid, beyond the formats of its fields.
#ifndef MC_SERVICE_DOMAIN_CONSUMPTION_RULES_H_
#define MC_SERVICE_DOMAIN_CONSUMPTION_RULES_H_

#include "absl/status/status.h"
#include "common/wire/bounds.h"
#include "missioncontrol/v1/consumption.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// The message has passed CheckMessage.
//
// INVALID_ARGUMENT (TIME_FRAME_INVALID): the time frame is empty, ends before
// it starts or crosses a UTC hour, or a monitored interval is not within it.
// INVALID_ARGUMENT (INVALID_FIELD): the same environment, host, monitor or
// meter twice; an ID missing; a host of no category; a quantity beyond the
// bounds of common/wire/bounds.h.
absl::Status CheckConsumption(const v1::Consumption& consumption);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_CONSUMPTION_RULES_H_

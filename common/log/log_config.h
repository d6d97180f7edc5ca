// The logging that a configuration file asks for.
#ifndef COMMON_LOG_LOG_CONFIG_H_
#define COMMON_LOG_LOG_CONFIG_H_

#include "common/log/log.h"
#include "missioncontrol/config/v1/log.pb.h"

namespace mc {

// JSON lines from INFO on where it says nothing else.
LogOptions LogOptionsOf(const missioncontrol::config::v1::Log& log);

}  // namespace mc

#endif  // COMMON_LOG_LOG_CONFIG_H_

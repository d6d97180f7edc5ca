#include "common/log/log_config.h"

namespace mc {

namespace config = missioncontrol::config::v1;

LogOptions LogOptionsOf(const config::Log& log) {
  LogOptions options;
  options.json = log.format() != config::LOG_FORMAT_TEXT;
  switch (log.level()) {
    case config::LOG_LEVEL_DEBUG:
      options.level = LogLevel::kDebug;
      break;
    case config::LOG_LEVEL_WARNING:
      options.level = LogLevel::kWarning;
      break;
    case config::LOG_LEVEL_ERROR:
      options.level = LogLevel::kError;
      break;
    default:
      options.level = LogLevel::kInfo;
  }
  return options;
}

}  // namespace mc

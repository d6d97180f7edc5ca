// Log lines with fields: one JSON object a line for programs, or text for
// people. They go to standard error or to a file; results go to standard
// output.
//
// The log is the one thing that is global, since everything has to be able to
// speak. Thread-safe, but for InitLog, which comes first.
#ifndef COMMON_LOG_LOG_H_
#define COMMON_LOG_LOG_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace mc {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = true;
  // The field "component" of each JSON line; empty: none.
  std::string component = {};
  // Lines are appended to this file; empty: standard error. Where it cannot be
  // opened, standard error is used and says so.
  std::string file = {};
};

void InitLog(const LogOptions& options);

// One field of a line. Secrets do not belong into the log.
struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, uint64_t, double, bool> value;

  LogField(std::string_view n, const char* v) : name(n), value(v) {}
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v)
      : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}
  template <std::signed_integral T>
  LogField(std::string_view n, T v) : name(n), value(static_cast<int64_t>(v)) {}
  template <std::unsigned_integral T>
  LogField(std::string_view n, T v)
      : name(n), value(static_cast<uint64_t>(v)) {}
  template <std::floating_point T>
  LogField(std::string_view n, T v) : name(n), value(static_cast<double>(v)) {}
};

using LogFields = std::initializer_list<LogField>;

void Log(LogLevel level, std::string_view message, LogFields fields = {});

inline void LogDebug(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kError, message, fields);
}

}  // namespace mc

#endif  // COMMON_LOG_LOG_H_

#include "common/log/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/log/library_log.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "nlohmann/json.hpp"

namespace mc {
namespace {

// Longer values are cut: a line must not fill the disk.
constexpr size_t kMaxValueBytes = 4096;

struct Sink {
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<bool> json = true;
  std::string component;
};

Sink& GlobalSink() {
  static Sink& sink = *[] {
    auto* made = new Sink;
    made->logger = spdlog::stderr_logger_mt("mission-control");
    made->logger->set_pattern("%v");
    made->logger->flush_on(spdlog::level::trace);
    return made;
  }();
  return sink;
}

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string Cut(std::string_view text) {
  return std::string(text.substr(0, kMaxValueBytes));
}

nlohmann::json ToJson(const LogField& field) {
  return std::visit(
      [](const auto& value) -> nlohmann::json {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>,
                                     std::string_view>) {
          return Cut(value);
        } else {
          return value;
        }
      },
      field.value);
}

std::string Dump(const nlohmann::json& value) {
  // Invalid UTF-8 is replaced, and does not throw.
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// One line that a terminal only shows: what is not UTF-8 is replaced, and
// control characters, which could begin a line or steer it, become spaces.
std::string Plain(std::string_view text) {
  std::string plain = nlohmann::json::parse(Dump(Cut(text))).get<std::string>();
  for (char& c : plain) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return plain;
}

std::string JsonLine(LogLevel level, std::string_view message,
                     LogFields fields) {
  std::string line = "{\"time\":\"";
  line += FormatUtc(RealClock().Now());
  line += "\",\"level\":\"";
  line += LevelName(level);
  line += "\",";
  if (const std::string& component = GlobalSink().component;
      !component.empty()) {
    line += "\"component\":" + Dump(component) + ",";
  }
  line += "\"message\":" + Dump(Cut(message));
  for (const LogField& field : fields) {
    line += "," + Dump(std::string(field.name)) + ":" + Dump(ToJson(field));
  }
  return line + "}";
}

std::string TextLine(LogLevel level, std::string_view message,
                     LogFields fields) {
  std::string line = FormatUtc(RealClock().Now());
  line.append(" ").append(LevelName(level)).append(" ").append(Plain(message));
  for (const LogField& field : fields) {
    line.append(" ").append(field.name).append("=").append(Dump(ToJson(field)));
  }
  return line;
}

}  // namespace

void InitLog(const LogOptions& options) {
  QuietLibraries();
  Sink& sink = GlobalSink();
  sink.json = options.json;
  sink.component = options.component;
  sink.logger->set_level(SpdlogLevel(options.level));
  spdlog::sink_ptr output = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  std::string problem;
  if (!options.file.empty()) {
    try {
      output =
          std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    } catch (const spdlog::spdlog_ex& e) {
      problem = e.what();
    }
  }
  output->set_pattern("%v");
  sink.logger->sinks() = {std::move(output)};
  if (!problem.empty()) {
    LogError("cannot write the log file; standard error is used instead",
             {{"file", options.file}, {"error", problem}});
  }
}

void Log(LogLevel level, std::string_view message, LogFields fields) {
  Sink& sink = GlobalSink();
  const auto spdlog_level = SpdlogLevel(level);
  if (!sink.logger->should_log(spdlog_level)) return;
  sink.logger->log(spdlog_level, "{}",
                   sink.json ? JsonLine(level, message, fields)
                             : TextLine(level, message, fields));
}

}  // namespace mc

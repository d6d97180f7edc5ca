#include "common/rpc/grpc_log.h"

#include <grpcpp/version_info.h>

#include <atomic>

#include "common/log/library_log.h"

// gRPC has logged through Abseil since 1.65; 1.67 has no other way.
#if GRPC_CPP_VERSION_MAJOR > 1 || GRPC_CPP_VERSION_MINOR >= 65
#define MC_GRPC_LOGS_BY_ABSEIL 1
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/log/log_sink_registry.h"
#else
#include <grpc/support/log.h>
#endif

namespace mc {
namespace {

std::atomic<void (*)(std::string_view)> handler{nullptr};

void Tell(std::string_view line) {
  if (auto* const on_error = handler.load()) on_error(line);
}

#ifdef MC_GRPC_LOGS_BY_ABSEIL

class Sink : public absl::LogSink {
 public:
  void Send(const absl::LogEntry& entry) override {
    // Protobuf's lines are about what a peer has sent.
    const std::string_view file = entry.source_filename();
    if (entry.log_severity() < absl::LogSeverity::kError ||
        file.find("protobuf/") != std::string_view::npos) {
      return;
    }
    Tell(entry.text_message());
  }
};

void TakeLines() {
  static Sink* const sink = [] {
    auto* made = new Sink;
    absl::AddLogSink(made);
    return made;
  }();
  (void)sink;
}

#else

void OnLine(gpr_log_func_args* line) {
  if (line->severity >= GPR_LOG_SEVERITY_ERROR) Tell(line->message);
}

void TakeLines() { gpr_set_log_function(OnLine); }

#endif

}  // namespace

void SetGrpcLog(void (*on_error)(std::string_view line)) {
  handler = on_error;
  QuietLibraries();
  TakeLines();
}

}  // namespace mc

#include "common/log/library_log.h"

#include "google/protobuf/message_lite.h"

// Protobuf has logged through Abseil since 22, which wants an Abseil that has
// a log.
#if GOOGLE_PROTOBUF_VERSION >= 4022000
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#else
#include "google/protobuf/stubs/logging.h"
#endif

namespace mc {

void QuietLibraries() {
#if GOOGLE_PROTOBUF_VERSION >= 4022000
  // Until it is initialized Abseil prints everything; it takes that once.
  static const bool initialized = [] {
    absl::InitializeLog();
    return true;
  }();
  (void)initialized;
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfinity);
#else
  google::protobuf::SetLogHandler(nullptr);
#endif
}

}  // namespace mc

#include "absl/synchronization/mutex.h"
#include "mc-service/cli/program.h"

int main(int argc, char** argv) {
  // Debian builds Abseil with its detector on: every lock would pay for it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return mc::service::RunProgram(argc, argv);
}

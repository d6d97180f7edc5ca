#include "absl/synchronization/mutex.h"
#include "cluster-agent/cli/program.h"

int main(int argc, char** argv) {
  // Debian builds Abseil with its detector on: every lock would pay for it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return mc::agent::RunProgram(argc, argv);
}

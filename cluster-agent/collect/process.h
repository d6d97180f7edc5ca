// Facts of one process.
#ifndef MC_CLUSTER_AGENT_COLLECT_PROCESS_H_
#define MC_CLUSTER_AGENT_COLLECT_PROCESS_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/collect/kernel_files.h"

namespace mc::agent {

struct ProcessFacts {
  // False when there is no such process, or only its remains (a zombie).
  bool alive = false;
  // To a clock tick after the boot time's second; InfinitePast unless alive.
  absl::Time started_at = absl::InfinitePast();
};

// Reads /proc/PID/stat. INVALID_ARGUMENT for a PID below 1; DATA_LOSS when the
// file is not what proc(5) describes.
absl::StatusOr<ProcessFacts> ReadProcess(const CollectOptions& options,
                                         pid_t pid);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_PROCESS_H_

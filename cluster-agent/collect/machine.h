// Facts of this machine, from the kernel's interfaces.
#ifndef MC_CLUSTER_AGENT_COLLECT_MACHINE_H_
#define MC_CLUSTER_AGENT_COLLECT_MACHINE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/collect/kernel_files.h"

namespace mc::agent {

struct OsRelease {
  std::string name;     // for instance "Debian GNU/Linux"
  std::string version;  // for instance "12"
};

struct Memory {
  int64_t total_bytes = 0;
  // What programs can still get without swapping.
  int64_t available_bytes = 0;
};

// NAME and VERSION_ID of os-release(5). A value that is missing, or that could
// not be a name or a version, is replaced by the kernel's: its name, and the
// leading number of its release (what follows may name the site that built
// it).
OsRelease ReadOsRelease(const CollectOptions& options);

// The processors that this process may run on, as nproc(1) counts them; at
// least 1. It asks the kernel, not a file.
int ProcessorCount();

// The load average of one minute (/proc/loadavg).
absl::StatusOr<double> ReadLoadAverage(const CollectOptions& options);

// MemTotal and MemAvailable (/proc/meminfo).
absl::StatusOr<Memory> ReadMemory(const CollectOptions& options);

// When the kernel started (btime of /proc/stat), to the second.
absl::StatusOr<absl::Time> ReadBootTime(const CollectOptions& options);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_MACHINE_H_

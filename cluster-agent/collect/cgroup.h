// The limits of a control group, of either version.
#ifndef MC_CLUSTER_AGENT_COLLECT_CGROUP_H_
#define MC_CLUSTER_AGENT_COLLECT_CGROUP_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cluster-agent/collect/kernel_files.h"

namespace mc::agent {

// What the group's processes get at most; absent: no limit.
struct CgroupLimits {
  std::optional<int64_t> memory_bytes;
  // Thousandths of a processor.
  std::optional<int64_t> cpu_millicores;
};

// The effective limits of the group `path`: the smallest of its own and of its
// ancestors' below the hierarchy's mount point. `path` is as /proc/PID/cgroup
// shows it ("/system.slice/product.service"; the first slash may be left out)
// or a directory under one of the mount points. Read from memory.max and
// cpu.max where a hierarchy of version 2 has the group, from
// memory.limit_in_bytes, cpu.cfs_quota_us and cpu.cfs_period_us of version 1.
// NOT_FOUND, naming the path, when no hierarchy has the group; DATA_LOSS for a
// file that does not parse; INVALID_ARGUMENT for a path that holds "..".
absl::StatusOr<CgroupLimits> ReadCgroupLimits(const CollectOptions& options,
                                              const std::string& path);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_CGROUP_H_

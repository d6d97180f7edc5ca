// The mounted file systems, as /proc/self/mountinfo lists them.
#ifndef MC_CLUSTER_AGENT_COLLECT_MOUNTS_H_
#define MC_CLUSTER_AGENT_COLLECT_MOUNTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster-agent/collect/kernel_files.h"

namespace mc::agent {

// One line of mountinfo, see proc(5).
struct Mount {
  std::string device;       // major:minor
  std::string root;         // what of the file system is mounted, "/" for all
  std::string mount_point;  // absolute
  std::string type;         // for instance "ext4"
  std::string source;       // for instance "/dev/vda"
  std::vector<std::string> super_options;  // for instance "rw", "memory"
};

// Under a root other than / the mounts of the machine's first process, where
// they can be read. The mounts in the kernel's order; of several on one mount
// point only the last, which hides the others. A line that does not parse is
// left out.
absl::StatusOr<std::vector<Mount>> ReadMounts(const CollectOptions& options);

// The mounts that hold data: a disk's file system, and the overlay of a
// container's root; none in memory, of the kernel, of firmware, over the
// network or of an image file. One for each device, sorted by mount point, so
// that their order outlives a reboot.
std::vector<Mount> DataMounts(std::vector<Mount> mounts);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_MOUNTS_H_

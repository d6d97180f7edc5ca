// How full the disks are.
#ifndef MC_CLUSTER_AGENT_COLLECT_PARTITIONS_H_
#define MC_CLUSTER_AGENT_COLLECT_PARTITIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cluster-agent/collect/kernel_files.h"

namespace mc::agent {

// A partition that the site names in its configuration.
struct PartitionConfig {
  // Any directory on the partition; it stays at the site.
  std::string path;
  // What leaves the site; empty: data-N for the Nth in the list.
  std::string label;
};

// What may leave the site. The label is the site's own or data-N, never a
// path, a device or a file system's label.
struct Partition {
  std::string label;
  int64_t total_bytes = 0;
  // As df(1) shows it: what is reserved for root counts as unused.
  int64_t used_bytes = 0;
};

struct PartitionReport {
  std::vector<Partition> partitions;
  // What could not be read, with paths, for the site's log. A partition
  // with an error keeps its number, so that no label moves to another disk.
  std::vector<absl::Status> errors;
};

// INVALID_ARGUMENT, saying what to write instead, for a path that is not
// absolute, for a label that the protocol cannot carry (1 to 128 of A-Z a-z
// 0-9 . _ : -, first a letter or digit), and for a label that is used twice.
absl::Status CheckPartitions(const std::vector<PartitionConfig>& configured);

// Measures `configured`, which passed CheckPartitions; when it is empty, the
// machine's data partitions (see DataMounts), whose mount points are
// directories.
PartitionReport ReadPartitions(const CollectOptions& options,
                               const std::vector<PartitionConfig>& configured);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_PARTITIONS_H_

// Reading the kernel's text files under a root that tests may move.
#ifndef MC_CLUSTER_AGENT_COLLECT_KERNEL_FILES_H_
#define MC_CLUSTER_AGENT_COLLECT_KERNEL_FILES_H_

#include <string>

#include "absl/status/statusor.h"

namespace mc::agent {

// Where the readers of this folder look.
struct CollectOptions {
  // Put before every absolute path that is read; tests name a fixture tree.
  std::string root = "/";
};

// `path` (absolute) under the root.
std::string RootedPath(const CollectOptions& options, const std::string& path);

// The whole file `path` (absolute, without the root). Files of /proc and /sys
// say that their size is 0, so this reads to the end. NOT_FOUND when it does
// not exist; RESOURCE_EXHAUSTED above 8 MiB, which no such file has; else what
// errno says. Every error names the path: errors of this folder are for the
// site's own log and never leave it.
absl::StatusOr<std::string> ReadKernelFile(const CollectOptions& options,
                                           const std::string& path);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_COLLECT_KERNEL_FILES_H_

// What can be seen on this machine alone. Nothing is written.
#ifndef MC_CLUSTER_AGENT_DOCTOR_LOCAL_CHECKS_H_
#define MC_CLUSTER_AGENT_DOCTOR_LOCAL_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/doctor/check.h"

namespace mc::agent {

// The directory and its files are its owner's alone, the owner is who runs
// this, and may write.
CheckResult CheckStateDirectory(const std::string& path);

// agent.sock and admin.sock, where they are.
CheckResult CheckSockets(const std::string& directory);

struct DiskSpace {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
  // Zero where the file system does not count them.
  uint64_t total_inodes = 0;
  uint64_t free_inodes = 0;
};
// WARNING below a tenth or 256 MiB, FAILED where nothing is free.
CheckResult JudgeDiskSpace(const std::string& path, const DiskSpace& space);
// Of the file system that the path, or what exists of it, is on.
CheckResult CheckDiskSpace(const std::string& path);

// FAILED where it is not valid at `now`, WARNING in the last quarter of its
// life; `fix` is how a fresh one is got.
CheckResult JudgeCertificate(const std::string& target,
                             const absl::StatusOr<std::string>& pem,
                             const std::string& fix, absl::Time now);
// Every certificate (*.crt) in the state directory, one line each.
CheckResults CheckOwnCertificates(const std::string& state_directory,
                                  absl::Time now);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOCTOR_LOCAL_CHECKS_H_

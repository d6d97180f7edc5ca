// At most one process per directory.
#ifndef MC_CLUSTER_AGENT_STATE_DIRECTORY_LOCK_H_
#define MC_CLUSTER_AGENT_STATE_DIRECTORY_LOCK_H_

#include <string>

#include "absl/status/statusor.h"

namespace mc::agent {

// Holds the file `lock` of a directory locked (flock) until it is destroyed or
// the process ends, in whatever way. The file holds the holder's PID and stays
// where it is: a lock file that is removed can be locked twice.
class DirectoryLock {
 public:
  // Does not wait: FAILED_PRECONDITION, naming the other process, when another
  // holder has the lock, in this process too.
  static absl::StatusOr<DirectoryLock> Acquire(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_STATE_DIRECTORY_LOCK_H_

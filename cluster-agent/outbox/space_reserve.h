// Space that is set aside for the time when the disk is full.
#ifndef MC_CLUSTER_AGENT_OUTBOX_SPACE_RESERVE_H_
#define MC_CLUSTER_AGENT_OUTBOX_SPACE_RESERVE_H_

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mc::agent {

// A file beside the database, of space that is really allocated. When the disk
// is full it is given up, so that what has its receipt can be marked and
// deleted; meanwhile nothing new is taken in, which would use it up. It is made
// anew, and the intake goes on, as soon as there is twice its space.
//
// Thread-safe. Every function asks the file system, and may be called from the
// writer thread.
class SpaceReserve {
 public:
  // 0 bytes: there is none, and nothing is ever held back.
  SpaceReserve(std::string path, int64_t bytes);

  // The disk is full. True: space was given up; it may be tried once more.
  bool Release() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether usage may be taken in: the reserve is there, or can be now.
  bool HasRoomForUsage() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether what can be shed may be taken in: beside the reserve there is as
  // much again.
  bool HasRoomForTelemetry() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool Ensure() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t FreeBytes() const;

  const std::string path_;
  const int64_t bytes_;
  absl::Mutex mutex_;
  bool there_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_SPACE_RESERVE_H_

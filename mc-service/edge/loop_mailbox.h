// What other threads tell a loop that waits for descriptors.
#ifndef MC_SERVICE_EDGE_LOOP_MAILBOX_H_
#define MC_SERVICE_EDGE_LOOP_MAILBOX_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mc::service {

// Thread-safe.
class LoopMailbox {
 public:
  LoopMailbox();
  ~LoopMailbox();
  LoopMailbox(const LoopMailbox&) = delete;
  LoopMailbox& operator=(const LoopMailbox&) = delete;

  // What the loop waits for: it is readable until Take(). -1: there was no
  // descriptor for it, and the mailbox is of no use.
  int fd() const { return fd_; }

  void Wake() const;
  // Says that the handshake of this connection is over, and wakes the loop.
  void Finished(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whose handshakes are over since the last time.
  std::vector<uint64_t> Take() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int fd_;
  absl::Mutex mutex_;
  std::vector<uint64_t> finished_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LOOP_MAILBOX_H_

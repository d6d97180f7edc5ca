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
  // They wake the loop.
  void HandshakeOver(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void ConnectionOver(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  // What was said since the last time.
  struct Letters {
    std::vector<uint64_t> handshakes_over;
    std::vector<uint64_t> connections_over;
  };
  Letters Take() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int fd_;
  absl::Mutex mutex_;
  Letters letters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LOOP_MAILBOX_H_

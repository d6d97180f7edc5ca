#include "mc-service/edge/loop_mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace mc::service {

LoopMailbox::LoopMailbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

LoopMailbox::~LoopMailbox() {
  if (fd_ >= 0) ::close(fd_);
}

void LoopMailbox::Wake() const {
  const uint64_t one = 1;
  while (::write(fd_, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void LoopMailbox::Finished(uint64_t id) {
  {
    absl::MutexLock lock(&mutex_);
    finished_.push_back(id);
    if (finished_.size() > 1) return;
  }
  Wake();
}

std::vector<uint64_t> LoopMailbox::Take() {
  uint64_t ignored;
  while (::read(fd_, &ignored, sizeof(ignored)) > 0) {
  }
  absl::MutexLock lock(&mutex_);
  return std::exchange(finished_, {});
}

}  // namespace mc::service

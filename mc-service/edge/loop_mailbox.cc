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

void LoopMailbox::HandshakeOver(uint64_t id) {
  {
    absl::MutexLock lock(&mutex_);
    letters_.handshakes_over.push_back(id);
  }
  Wake();
}

void LoopMailbox::ConnectionOver(uint64_t id) {
  {
    absl::MutexLock lock(&mutex_);
    letters_.connections_over.push_back(id);
  }
  Wake();
}

LoopMailbox::Letters LoopMailbox::Take() {
  uint64_t ignored;
  while (::read(fd_, &ignored, sizeof(ignored)) > 0) {
  }
  absl::MutexLock lock(&mutex_);
  return std::exchange(letters_, {});
}

}  // namespace mc::service

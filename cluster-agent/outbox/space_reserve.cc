#include "cluster-agent/outbox/space_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <limits>
#include <utility>

#include "common/files/files.h"

namespace mc::agent {
namespace {

// What the file has of the disk, not how long it says it is.
int64_t AllocatedBytes(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_blocks * int64_t{512} : 0;
}

bool Allocate(const std::string& path, int64_t bytes) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool allocated = posix_fallocate(file, 0, bytes) == 0;
  close(file);
  if (!allocated) unlink(path.c_str());
  return allocated;
}

}  // namespace

SpaceReserve::SpaceReserve(std::string path, int64_t bytes)
    : path_(std::move(path)), bytes_(bytes) {
  if (bytes_ == 0) {
    unlink(path_.c_str());
    return;
  }
  absl::MutexLock lock(&mutex_);
  there_ = AllocatedBytes(path_) >= bytes_;
  Ensure();
}

int64_t SpaceReserve::FreeBytes() const {
  struct statvfs info;
  // A file system that does not tell is not held against anybody.
  if (statvfs(DirectoryOf(path_).c_str(), &info) != 0) {
    return std::numeric_limits<int64_t>::max();
  }
  return static_cast<int64_t>(info.f_bavail) *
         static_cast<int64_t>(info.f_frsize);
}

bool SpaceReserve::Ensure() {
  if (there_ || bytes_ == 0) return true;
  if (FreeBytes() < 2 * bytes_) return false;
  there_ = Allocate(path_, bytes_);
  return there_;
}

bool SpaceReserve::Release() {
  absl::MutexLock lock(&mutex_);
  if (!std::exchange(there_, false)) return false;
  return unlink(path_.c_str()) == 0;
}

bool SpaceReserve::HasRoomForUsage() {
  absl::MutexLock lock(&mutex_);
  return Ensure();
}

bool SpaceReserve::HasRoomForTelemetry() {
  absl::MutexLock lock(&mutex_);
  return bytes_ == 0 || (Ensure() && FreeBytes() >= bytes_);
}

}  // namespace mc::agent

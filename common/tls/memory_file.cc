#include "common/tls/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace mc {
namespace {

absl::Status Failed(std::string_view what) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", absl::string_view(what.data(), what.size()),
                   " a file in memory: ", std::strerror(errno)));
}

// A descriptor that is closed.
class Draft {
 public:
  Draft() : descriptor_(::memfd_create("mission-control", MFD_CLOEXEC)) {}
  ~Draft() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

bool Write(int descriptor, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t count = ::write(descriptor, contents.data(), contents.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) contents.remove_prefix(count);
  }
  return true;
}

}  // namespace

MemoryFile::MemoryFile(int descriptor)
    : descriptor_(descriptor),
      path_(absl::StrCat("/proc/self/fd/", descriptor)) {}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

absl::StatusOr<std::unique_ptr<MemoryFile>> MemoryFile::Create(
    std::string_view contents) {
  const int descriptor = ::memfd_create("mission-control", MFD_CLOEXEC);
  if (descriptor < 0) return Failed("make");
  std::unique_ptr<MemoryFile> file(new MemoryFile(descriptor));
  absl::Status status = file->Replace(contents);
  if (!status.ok()) return status;
  if (::access(file->path().c_str(), R_OK) != 0) return Failed("find");
  return file;
}

absl::Status MemoryFile::Replace(std::string_view contents) {
  const Draft draft;
  if (draft.get() < 0) return Failed("make");
  if (!Write(draft.get(), contents)) return Failed("write");
  const timespec changed = {.tv_sec = ++generation_, .tv_nsec = 0};
  const timespec times[2] = {changed, changed};
  if (::futimens(draft.get(), times) != 0) return Failed("date");
  // Atomic: the path leads to the one or to the other.
  if (::dup3(draft.get(), descriptor_, O_CLOEXEC) < 0) return Failed("swap");
  return absl::OkStatus();
}

}  // namespace mc

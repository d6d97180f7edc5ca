#include "cluster-agent/collect/kernel_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mc::agent {
namespace {

constexpr size_t kMaxBytes = size_t{8} << 20;

}  // namespace

std::string RootedPath(const CollectOptions& options, const std::string& path) {
  std::string root = options.root;
  while (!root.empty() && root.back() == '/') root.pop_back();
  return root + path;
}

absl::StatusOr<std::string> ReadKernelFile(const CollectOptions& options,
                                           const std::string& path) {
  const std::string full = RootedPath(options, path);
  const int fd = open(full.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", full));
  }
  absl::Cleanup closer = [fd] { close(fd); };
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n == 0) return text;
    if (n < 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", full));
    }
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(full, " is larger than ", kMaxBytes, " bytes"));
    }
  }
}

}  // namespace mc::agent

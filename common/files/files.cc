#include "common/files/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mc {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status SystemError(int error, absl::string_view what,
                         const std::string& path) {
  std::string hint;
  if (error == ENOENT || error == ENOTDIR) {
    hint = "; check the path, and that what it names is there";
  } else if (error == EACCES || error == EPERM) {
    hint = absl::StrCat("; user ", geteuid(), " must be allowed to");
  } else if (error == ENOSPC || error == EDQUOT) {
    hint = "; free space there";
  }
  return absl::Status(
      absl::ErrnoToStatusCode(error),
      absl::StrCat("cannot ", what, " ", path, ": ",
                   std::generic_category().message(error), hint));
}

bool IsMember(gid_t group) {
  if (group == getegid()) return true;
  std::vector<gid_t> groups(std::max(0, getgroups(0, nullptr)));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  return count > 0 && std::find(groups.begin(), groups.begin() + count,
                                group) != groups.begin() + count;
}

// How a mounted secret looks to a program without root's rights: root owns it,
// and lets one group read it that the program is in; or root's own group, where
// the program was let in by an access list, as systemd passes credentials.
bool IsMountedSecret(const struct stat& info) {
  return info.st_uid == 0 && geteuid() != 0 && (info.st_mode & 037) == 0 &&
         (info.st_gid == 0 || IsMember(info.st_gid));
}

absl::Status CheckOwnerOnly(const struct stat& info, const std::string& path,
                            bool directory) {
  if (!directory && IsMountedSecret(info)) return absl::OkStatus();
  if (info.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " belongs to user ", info.st_uid, ", but this program runs as ",
        geteuid(), ": run `chown ", geteuid(), " ", path, "`"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("others can access ", path, ": run `chmod ",
                     directory ? "700" : "600", " ", path, "`"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes,
                                 bool owner_only) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return SystemError(errno, "read", path);
  struct stat info = {};
  if (fstat(file.get(), &info) != 0) return SystemError(errno, "read", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a regular file"));
  }
  if (owner_only) {
    if (absl::Status status = CheckOwnerOnly(info, path, false); !status.ok()) {
      return status;
    }
  }
  std::string data;
  char buffer[16384];
  while (true) {
    const ssize_t count = read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "read", path);
    if (count == 0) return data;
    data.append(buffer, count);
    if (data.size() > max_bytes) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " is larger than the ", max_bytes,
                       " bytes that are allowed: is it the right file?"));
    }
  }
}

absl::Status WriteAll(int fd, std::string_view data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t count = write(fd, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "write", path);
    data.remove_prefix(count);
  }
  if (fsync(fd) != 0) return SystemError(errno, "write", path);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const Descriptor directory(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) {
    return SystemError(errno, "write", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AtomicWrite(const std::string& path, std::string_view data,
                         mode_t mode) {
  // Each write has a draft of its own: with a common name one writer would
  // put the unfinished draft of another in place.
  std::string draft = path + ".new-XXXXXX";
  absl::Status status;
  {
    const Descriptor file(mkostemp(draft.data(), O_CLOEXEC));
    if (file.get() < 0) return SystemError(errno, "create", path);
    // Before the data: fsync then covers the mode too.
    status = fchmod(file.get(), mode) == 0 ? WriteAll(file.get(), data, draft)
                                           : SystemError(errno, "write", draft);
  }
  if (status.ok() && rename(draft.c_str(), path.c_str()) != 0) {
    status = SystemError(errno, "replace", path);
  }
  if (!status.ok()) {
    unlink(draft.c_str());
    return status;
  }
  return SyncDirectory(DirectoryOf(path));
}

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     size_t max_bytes) {
  return Read(path, max_bytes, false);
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path,
                                            size_t max_bytes) {
  return Read(path, max_bytes, true);
}

absl::Status EnsurePrivateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) {
    return SyncDirectory(DirectoryOf(path));
  }
  if (errno != EEXIST) return SystemError(errno, "create", path);
  return CheckPrivateDirectory(path);
}

absl::Status CheckPrivateDirectory(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return SystemError(errno, "use", path);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a directory"));
  }
  return CheckOwnerOnly(info, path, true);
}

absl::Status CheckPrivateFile(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return SystemError(errno, "read", path);
  return CheckOwnerOnly(info, path, false);
}

bool FileExists(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0;
}

std::string ResolvePath(std::string_view directory, std::string_view path) {
  if (path.empty() || path.front() == '/') return std::string(path);
  return std::string(directory).append("/").append(path);
}

std::string DirectoryOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

}  // namespace mc

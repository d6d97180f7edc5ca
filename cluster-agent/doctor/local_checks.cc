#include "cluster-agent/doctor/local_checks.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/crypto/certificate.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

constexpr uint64_t kMinFreeBytes = 256 << 20;
constexpr uint64_t kMinFreePercent = 10;
// A certificate is near its end in the last quarter of its life.
constexpr int kNearEnd = 4;

// Sorted; empty where it cannot be read.
std::vector<std::filesystem::path> FilesIn(const std::string& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(directory, error);
       !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What only its owner may read: keys, and the registration's password.
bool IsSecret(const std::filesystem::path& file) {
  return file.extension() == ".key" || file.extension() == ".json";
}

std::string Mebibytes(uint64_t bytes) {
  return absl::StrCat(bytes >> 20, " MiB");
}

std::optional<CheckResult> CheckSocket(const std::string& path, mode_t most) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  if (!S_ISSOCK(info.st_mode)) {
    return Failed("sockets", path, "it is no socket",
                  "remove it, and start the agent again");
  }
  if ((info.st_mode & 0777 & ~most) == 0) return std::nullopt;
  return Failed(
      "sockets", path,
      absl::StrFormat("mode %04o lets too many use it", info.st_mode & 0777),
      absl::StrFormat("run `chmod %04o %s`", most, path));
}

}  // namespace

CheckResult CheckStateDirectory(const std::string& path) {
  constexpr char kCheck[] = "state directory";
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return Skipped(kCheck, path, "not there yet; the first start makes it");
    }
    return Failed(kCheck, path, std::generic_category().message(errno),
                  "run this as the agent's user");
  }
  if (S_ISDIR(info.st_mode) && info.st_uid != geteuid()) {
    return Warning(
        kCheck, path,
        absl::StrCat("it belongs to user ", info.st_uid,
                     ", but this runs as user ", geteuid()),
        absl::StrCat("run doctor as the agent's user; if that is ", geteuid(),
                     ", run `chown -R ", geteuid(), " ", path, "`"));
  }
  absl::Status status = CheckPrivateDirectory(path);
  if (status.ok()) {
    for (const std::filesystem::path& file : FilesIn(path)) {
      if (!IsSecret(file)) continue;
      status = CheckPrivateFile(file);
      if (!status.ok()) break;
    }
  }
  if (!status.ok()) {
    return Failed(kCheck, path, std::string(status.message()),
                  "only the agent's user may read it");
  }
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    return Failed(kCheck, path, std::generic_category().message(errno),
                  "the agent's user must be allowed to write there; is the "
                  "file system mounted read-only?");
  }
  return Ok(kCheck, path, "owner-only and writable");
}

CheckResult CheckSockets(const std::string& directory) {
  constexpr char kCheck[] = "sockets";
  const std::pair<const char*, mode_t> sockets[] = {{"agent.sock", 0660},
                                                    {"admin.sock", 0600}};
  bool found = false;
  for (const auto& [name, most] : sockets) {
    const std::string path = absl::StrCat(directory, "/", name);
    found = found || FileExists(path);
    if (auto problem = CheckSocket(path, most)) return *std::move(problem);
  }
  if (!found) {
    return Skipped(kCheck, directory, "no agent listens there");
  }
  return Ok(kCheck, directory, "only those who should may use them");
}

CheckResult JudgeDiskSpace(const std::string& path, const DiskSpace& space) {
  constexpr char kCheck[] = "disk space";
  constexpr char kFix[] =
      "free space there, or move state_directory to a larger file system: "
      "usage "
      "is kept there until the service has confirmed it";
  const auto scarce = [](uint64_t free, uint64_t total) {
    return total > 0 && free < (total + 99) / 100 * kMinFreePercent;
  };
  const std::string detail = absl::StrCat(
      Mebibytes(space.free_bytes), " of ", Mebibytes(space.total_bytes),
      " free",
      space.total_inodes == 0 ? ""
                              : absl::StrCat(", ", space.free_inodes, " of ",
                                             space.total_inodes, " inodes"));
  if (space.free_bytes == 0 ||
      (space.total_inodes > 0 && space.free_inodes == 0)) {
    return Failed(kCheck, path, detail, kFix);
  }
  if (space.free_bytes < kMinFreeBytes ||
      scarce(space.free_bytes, space.total_bytes) ||
      scarce(space.free_inodes, space.total_inodes)) {
    return Warning(kCheck, path, detail, kFix);
  }
  return Ok(kCheck, path, detail);
}

CheckResult CheckDiskSpace(const std::string& path) {
  std::string there = path;
  struct statvfs info = {};
  while (statvfs(there.c_str(), &info) != 0) {
    const std::string parent = DirectoryOf(there);
    if (errno != ENOENT || parent == there) {
      return Failed("disk space", path, std::generic_category().message(errno),
                    "check state_directory");
    }
    there = parent;
  }
  return JudgeDiskSpace(path, {.total_bytes = info.f_blocks * info.f_frsize,
                               .free_bytes = info.f_bavail * info.f_frsize,
                               .total_inodes = info.f_files,
                               .free_inodes = info.f_favail});
}

CheckResult JudgeCertificate(const std::string& target,
                             const absl::StatusOr<std::string>& pem,
                             const std::string& fix, absl::Time now) {
  constexpr char kCheck[] = "own certificate";
  const absl::StatusOr<CertificateInfo> info =
      pem.ok() ? ParseCertificatePem(*pem) : pem.status();
  if (!info.ok()) {
    return Failed(kCheck, target, std::string(info.status().message()),
                  "restore the state directory");
  }
  const std::string until = absl::StrCat(
      "valid until ",
      absl::FormatTime("%Y-%m-%d %H:%M", info->not_after, absl::UTCTimeZone()));
  if (now < info->not_before) {
    return Failed(kCheck, target, "it is not valid yet",
                  "this machine's clock is probably behind: set it");
  }
  if (now > info->not_after) {
    return Failed(kCheck, target, absl::StrCat("ended; ", until), fix);
  }
  if (info->not_after - now < (info->not_after - info->not_before) / kNearEnd) {
    return Warning(kCheck, target, until, fix);
  }
  return Ok(kCheck, target, until);
}

CheckResults CheckOwnCertificates(const std::string& state_directory,
                                  absl::Time now) {
  CheckResults results;
  for (const std::filesystem::path& file : FilesIn(state_directory)) {
    if (file.extension() != ".crt") continue;
    results.push_back(JudgeCertificate(
        file, ReadFile(file),
        "the running agent renews it from half of its life on, and asks for "
        "another one when it has ended: look at what cluster-agent status "
        "waits for",
        now));
  }
  if (results.empty()) {
    results.push_back(Skipped("own certificate", state_directory,
                              "there is none before registration"));
  }
  return results;
}

}  // namespace mc::agent

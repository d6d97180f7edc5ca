#include "cluster-agent/collect/partitions.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/mounts.h"

namespace mc::agent {
namespace {

std::string LabelOf(const PartitionConfig& config, size_t index) {
  return config.label.empty() ? absl::StrCat("data-", index + 1) : config.label;
}

bool IsLabel(const std::string& label) {
  return !label.empty() && label.size() <= 128 &&
         absl::ascii_isalnum(label[0]) &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("._:-", c);
         });
}

absl::StatusOr<Partition> Measure(const CollectOptions& options,
                                  const PartitionConfig& config,
                                  std::string label) {
  struct statvfs fs = {};
  if (statvfs(RootedPath(options, config.path).c_str(), &fs) != 0) {
    return absl::ErrnoToStatus(
        errno,
        absl::StrCat("cannot measure partition ", label, " at ", config.path,
                     "; mount it, or change `partitions` in the "
                     "agent's configuration"));
  }
  // Some file systems count more blocks free than they have.
  const uint64_t used_blocks =
      fs.f_blocks - std::min<uint64_t>(fs.f_bfree, fs.f_blocks);
  Partition partition{.label = std::move(label)};
  if (__builtin_mul_overflow(fs.f_blocks, fs.f_frsize,
                             &partition.total_bytes) ||
      __builtin_mul_overflow(used_blocks, fs.f_frsize, &partition.used_bytes)) {
    return absl::OutOfRangeError(absl::StrCat(config.path, " says that it has ",
                                              fs.f_blocks, " blocks of ",
                                              fs.f_frsize, " bytes"));
  }
  return partition;
}

// The machine's own partitions. Containers bind single files from a disk of
// the host, which is not theirs.
absl::StatusOr<std::vector<PartitionConfig>> Discover(
    const CollectOptions& options) {
  absl::StatusOr<std::vector<Mount>> mounts = ReadMounts(options);
  if (!mounts.ok()) return mounts.status();
  std::erase_if(*mounts, [&](const Mount& mount) {
    struct stat info = {};
    return stat(RootedPath(options, mount.mount_point).c_str(), &info) == 0 &&
           !S_ISDIR(info.st_mode);
  });
  std::vector<PartitionConfig> found;
  for (Mount& mount : DataMounts(*std::move(mounts))) {
    found.push_back({.path = std::move(mount.mount_point), .label = ""});
  }
  if (found.empty()) {
    return absl::NotFoundError(
        "no data partition was found; name them in `partitions` of the "
        "agent's configuration");
  }
  return found;
}

}  // namespace

absl::Status CheckPartitions(const std::vector<PartitionConfig>& configured) {
  std::set<std::string> labels;
  for (size_t i = 0; i < configured.size(); ++i) {
    const PartitionConfig& config = configured[i];
    if (!absl::StartsWith(config.path, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat("partition path '", config.path,
                       "' is not absolute; begin it with /"));
    }
    const std::string label = LabelOf(config, i);
    if (!IsLabel(label)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "partition label '", label,
          "' may not leave the site; use 1 to 128 of A-Z a-z 0-9 . _ : - and "
          "begin with a letter or digit"));
    }
    if (!labels.insert(label).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "partition label '", label, "' is used twice; give each its own"));
    }
  }
  return absl::OkStatus();
}

PartitionReport ReadPartitions(const CollectOptions& options,
                               const std::vector<PartitionConfig>& configured) {
  PartitionReport report;
  std::vector<PartitionConfig> wanted = configured;
  if (wanted.empty()) {
    absl::StatusOr<std::vector<PartitionConfig>> found = Discover(options);
    if (!found.ok()) {
      report.errors.push_back(found.status());
      return report;
    }
    wanted = *std::move(found);
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    absl::StatusOr<Partition> partition =
        Measure(options, wanted[i], LabelOf(wanted[i], i));
    if (partition.ok()) {
      report.partitions.push_back(*std::move(partition));
    } else {
      report.errors.push_back(partition.status());
    }
  }
  return report;
}

}  // namespace mc::agent

#include "cluster-agent/collect/cgroup.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cluster-agent/collect/mounts.h"

namespace mc::agent {
namespace {

// Version 1 writes "no limit" as the largest multiple of a page; nothing from
// 4 EiB on is a limit.
constexpr int64_t kNoMemoryLimit = int64_t{1} << 62;

using Limit = std::optional<int64_t>;

void Lower(Limit& limit, Limit other) {
  if (other.has_value() && (!limit.has_value() || *other < *limit)) {
    limit = other;
  }
}

absl::Status Damaged(const std::string& path) {
  return absl::DataLossError(absl::StrCat(path, " has no readable limit"));
}

// The trimmed text of a limit's file; absent when the group's hierarchy does
// not have the file's controller.
absl::StatusOr<std::optional<std::string>> LimitText(
    const CollectOptions& options, const std::string& path) {
  absl::StatusOr<std::string> text = ReadKernelFile(options, path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  return std::string(absl::StripAsciiWhitespace(*text));
}

absl::StatusOr<Limit> MemoryLimit(const CollectOptions& options,
                                  const std::string& path) {
  const absl::StatusOr<std::optional<std::string>> text =
      LimitText(options, path);
  if (!text.ok()) return text.status();
  if (!text->has_value() || **text == "max") return std::nullopt;
  uint64_t bytes = 0;
  if (!absl::SimpleAtoi(**text, &bytes)) return Damaged(path);
  if (bytes >= uint64_t{kNoMemoryLimit}) return std::nullopt;
  return static_cast<int64_t>(bytes);
}

// A quota of microseconds in each period, both as text.
absl::StatusOr<Limit> CpuLimit(const std::string& path,
                               const std::string& quota_text,
                               const std::string& period_text) {
  int64_t quota = 0;
  int64_t period = 0;
  int64_t scaled = 0;
  if (!absl::SimpleAtoi(quota_text, &quota) ||
      !absl::SimpleAtoi(period_text, &period) || period <= 0) {
    return Damaged(path);
  }
  if (quota < 0) return std::nullopt;
  if (__builtin_mul_overflow(quota, 1000, &scaled)) return std::nullopt;
  return std::max<int64_t>(1, scaled / period);
}

absl::StatusOr<Limit> CpuLimitV2(const CollectOptions& options,
                                 const std::string& directory) {
  const std::string path = directory + "/cpu.max";
  const absl::StatusOr<std::optional<std::string>> text =
      LimitText(options, path);
  if (!text.ok()) return text.status();
  if (!text->has_value()) return std::nullopt;
  const std::vector<std::string> fields = absl::StrSplit(**text, ' ');
  if (fields[0] == "max") return std::nullopt;
  if (fields.size() != 2) return Damaged(path);
  return CpuLimit(path, fields[0], fields[1]);
}

absl::StatusOr<Limit> CpuLimitV1(const CollectOptions& options,
                                 const std::string& directory) {
  const std::string path = directory + "/cpu.cfs_quota_us";
  const absl::StatusOr<std::optional<std::string>> quota =
      LimitText(options, path);
  if (!quota.ok()) return quota.status();
  if (!quota->has_value() || **quota == "-1") return std::nullopt;
  const absl::StatusOr<std::optional<std::string>> period =
      LimitText(options, directory + "/cpu.cfs_period_us");
  if (!period.ok()) return period.status();
  return CpuLimit(path, **quota, period->value_or(""));
}

bool HasOption(const Mount& mount, const std::string& name) {
  return std::find(mount.super_options.begin(), mount.super_options.end(),
                   name) != mount.super_options.end();
}

absl::Status LowerTo(const CollectOptions& options, const Mount& mount,
                     const std::string& directory, CgroupLimits& limits) {
  const bool v2 = mount.type == "cgroup2";
  if (v2 || HasOption(mount, "memory")) {
    const absl::StatusOr<Limit> memory = MemoryLimit(
        options, directory + (v2 ? "/memory.max" : "/memory.limit_in_bytes"));
    if (!memory.ok()) return memory.status();
    Lower(limits.memory_bytes, *memory);
  }
  if (v2 || HasOption(mount, "cpu")) {
    const absl::StatusOr<Limit> cpu =
        v2 ? CpuLimitV2(options, directory) : CpuLimitV1(options, directory);
    if (!cpu.ok()) return cpu.status();
    Lower(limits.cpu_millicores, *cpu);
  }
  return absl::OkStatus();
}

// The names on the way from the hierarchy's mount point to the group.
std::vector<std::string> GroupNames(const std::vector<Mount>& hierarchies,
                                    const std::string& path) {
  // The longest mount point that the path is under: they may be nested.
  size_t prefix = 0;
  for (const Mount& mount : hierarchies) {
    if (absl::StartsWith(path, mount.mount_point + "/")) {
      prefix = std::max(prefix, mount.mount_point.size());
    }
  }
  return absl::StrSplit(path.substr(prefix), '/', absl::SkipEmpty());
}

}  // namespace

absl::StatusOr<CgroupLimits> ReadCgroupLimits(const CollectOptions& options,
                                              const std::string& path) {
  absl::StatusOr<std::vector<Mount>> mounts = ReadMounts(options);
  if (!mounts.ok()) return mounts.status();
  std::erase_if(*mounts, [](const Mount& mount) {
    return mount.type != "cgroup" && mount.type != "cgroup2";
  });
  std::vector<std::string> names = GroupNames(*mounts, path);
  if (std::find(names.begin(), names.end(), "..") != names.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cgroup path '", path,
        "' may hold no '..'; write it as /proc/PID/cgroup shows it"));
  }
  CgroupLimits limits;
  bool found = false;
  for (const Mount& mount : *mounts) {
    std::string directory = mount.mount_point;
    struct stat info = {};
    const std::string group =
        absl::StrCat(mount.mount_point, "/", absl::StrJoin(names, "/"));
    if (stat(RootedPath(options, group).c_str(), &info) != 0) continue;
    found = true;
    for (const std::string& name : names) {
      absl::StrAppend(&directory, "/", name);
      const absl::Status status = LowerTo(options, mount, directory, limits);
      if (!status.ok()) return status;
    }
  }
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("no cgroup ", path,
                     "; start the product, or change its cgroup in the "
                     "agent's configuration"));
  }
  return limits;
}

}  // namespace mc::agent

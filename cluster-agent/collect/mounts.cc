#include "cluster-agent/collect/mounts.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace mc::agent {
namespace {

// Block devices of image files; see devices.txt of the kernel.
constexpr absl::string_view kLoopMajor = "7:";

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// Undoes the kernel's octal escapes of space, tab, newline and backslash.
std::string Unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) &&
        IsOctal(text[i + 2]) && IsOctal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 +
                                 (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// ID PARENT MAJOR:MINOR ROOT MOUNT_POINT OPTIONS [TAG...] - TYPE SOURCE SUPER
std::optional<Mount> ParseMount(const std::string& line) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  constexpr size_t kFirstTag = 6;
  if (fields.size() < kFirstTag) return std::nullopt;
  const auto separator =
      std::find(fields.begin() + kFirstTag, fields.end(), "-");
  if (std::distance(separator, fields.end()) < 4) return std::nullopt;
  Mount mount{.device = fields[2],
              .root = Unescape(fields[3]),
              .mount_point = Unescape(fields[4]),
              .type = separator[1],
              .source = Unescape(separator[2]),
              .super_options = absl::StrSplit(separator[3], ',')};
  if (!absl::StartsWith(mount.mount_point, "/")) return std::nullopt;
  return mount;
}

bool HoldsData(const Mount& mount) {
  static constexpr const char* kTypes[] = {"ext2",  "ext3", "ext4", "xfs",
                                           "btrfs", "zfs",  "f2fs", "bcachefs"};
  if (mount.type == "overlay") return mount.mount_point == "/";
  return std::find(std::begin(kTypes), std::end(kTypes), mount.type) !=
             std::end(kTypes) &&
         !absl::StartsWith(mount.device, kLoopMajor) &&
         !absl::StartsWith(mount.source, "/dev/loop");
}

}  // namespace

absl::StatusOr<std::vector<Mount>> ReadMounts(const CollectOptions& options) {
  // Under another root "self" is this process, too, and its mounts are the
  // container's; the machine's own are those of its first process.
  absl::StatusOr<std::string> text = absl::NotFoundError("not read");
  if (options.root != CollectOptions().root) {
    text = ReadKernelFile(options, "/proc/1/mountinfo");
  }
  if (!text.ok()) text = ReadKernelFile(options, "/proc/self/mountinfo");
  if (!text.ok()) return text.status();
  std::vector<Mount> mounts;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    std::optional<Mount> mount = ParseMount(std::string(line));
    if (!mount.has_value()) continue;
    std::erase_if(mounts, [&](const Mount& hidden) {
      return hidden.mount_point == mount->mount_point;
    });
    mounts.push_back(*std::move(mount));
  }
  return mounts;
}

std::vector<Mount> DataMounts(std::vector<Mount> mounts) {
  std::erase_if(mounts, [](const Mount& m) { return !HoldsData(m); });
  // A device is shown by its whole file system rather than by a bind mount of
  // a part of it, which may have a quota of its own.
  std::sort(mounts.begin(), mounts.end(), [](const Mount& a, const Mount& b) {
    return std::make_pair(a.root != "/", std::cref(a.mount_point)) <
           std::make_pair(b.root != "/", std::cref(b.mount_point));
  });
  std::set<std::string> seen;
  std::erase_if(mounts,
                [&](const Mount& m) { return !seen.insert(m.device).second; });
  std::sort(mounts.begin(), mounts.end(), [](const Mount& a, const Mount& b) {
    return a.mount_point < b.mount_point;
  });
  return mounts;
}

}  // namespace mc::agent

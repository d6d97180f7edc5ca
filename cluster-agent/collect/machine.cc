#include "cluster-agent/collect/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace mc::agent {
namespace {

// The longest name and version that are believed; the protocol's limit for a
// version.
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxVersionBytes = 64;

// A value as os-release(5) writes it: a shell assignment's right side, bare or
// in quotes.
std::string Unquote(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  const char quote = value.empty() ? '\0' : value.front();
  if (quote != '"' && quote != '\'') return std::string(value);
  std::string text;
  for (size_t i = 1; i < value.size() && value[i] != quote; ++i) {
    if (quote == '"' && value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return absl::ascii_iscntrl(c); });
}

bool IsVersion(const std::string& text) {
  return !text.empty() && text.size() <= kMaxVersionBytes &&
         absl::ascii_isalnum(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || absl::StrContains(".+~_-", c);
         });
}

// The kernel's name and number.
OsRelease KernelRelease() {
  utsname names = {};
  if (uname(&names) != 0) return {"Linux", ""};
  const std::string release = names.release;
  return {
      names.sysname,
      std::string(absl::StripSuffix(
          release.substr(0, release.find_first_not_of("0123456789.")), "."))};
}

// A line of /proc/meminfo: "MemTotal:  16384 kB", which means KiB.
absl::StatusOr<int64_t> MemoryLine(const std::string& text,
                                   const std::string& key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, absl::StrCat(key, ":"))) continue;
    if (!absl::ConsumeSuffix(&line, "kB")) break;
    int64_t kib = 0;
    if (!absl::SimpleAtoi(line, &kib) || kib < 0 ||
        kib > std::numeric_limits<int64_t>::max() / 1024) {
      break;
    }
    return kib * 1024;
  }
  return absl::DataLossError(
      absl::StrCat("/proc/meminfo has no readable ", key));
}

}  // namespace

OsRelease ReadOsRelease(const CollectOptions& options) {
  OsRelease os;
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    const absl::StatusOr<std::string> text = ReadKernelFile(options, path);
    if (!text.ok()) continue;
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      line = absl::StripLeadingAsciiWhitespace(line);
      if (absl::ConsumePrefix(&line, "NAME=")) os.name = Unquote(line);
      if (absl::ConsumePrefix(&line, "VERSION_ID=")) os.version = Unquote(line);
    }
    break;
  }
  const OsRelease kernel = KernelRelease();
  if (!IsName(os.name)) os.name = kernel.name;
  if (!IsVersion(os.version)) os.version = kernel.version;
  return os;
}

int ProcessorCount() {
  // The mask has to be as large as the kernel's, which only trying tells.
  for (size_t cpus = 1024; cpus <= (size_t{1} << 20); cpus *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
        CPU_ALLOC(cpus), [](cpu_set_t* s) { CPU_FREE(s); });
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    if (set == nullptr) break;
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      return std::max(1, CPU_COUNT_S(bytes, set.get()));
    }
    if (errno != EINVAL) break;
  }
  return std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
}

absl::StatusOr<double> ReadLoadAverage(const CollectOptions& options) {
  const absl::StatusOr<std::string> text =
      ReadKernelFile(options, "/proc/loadavg");
  if (!text.ok()) return text.status();
  double load = 0;
  if (!absl::SimpleAtod(text->substr(0, text->find(' ')), &load) ||
      !std::isfinite(load) || load < 0) {
    return absl::DataLossError("/proc/loadavg has no readable load average");
  }
  return load;
}

absl::StatusOr<Memory> ReadMemory(const CollectOptions& options) {
  const absl::StatusOr<std::string> text =
      ReadKernelFile(options, "/proc/meminfo");
  if (!text.ok()) return text.status();
  const absl::StatusOr<int64_t> total = MemoryLine(*text, "MemTotal");
  if (!total.ok()) return total.status();
  const absl::StatusOr<int64_t> available = MemoryLine(*text, "MemAvailable");
  if (!available.ok()) return available.status();
  return Memory{*total, *available};
}

absl::StatusOr<absl::Time> ReadBootTime(const CollectOptions& options) {
  const absl::StatusOr<std::string> text =
      ReadKernelFile(options, "/proc/stat");
  if (!text.ok()) return text.status();
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "btime ")) continue;
    int64_t seconds = 0;
    // Up to the year 9999, the last that a protobuf Timestamp holds.
    if (!absl::SimpleAtoi(line, &seconds) || seconds < 0 ||
        seconds > 253402300799) {
      break;
    }
    return absl::FromUnixSeconds(seconds);
  }
  return absl::DataLossError("/proc/stat has no readable btime");
}

}  // namespace mc::agent

#include "cluster-agent/collect/process.h"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster-agent/collect/machine.h"

namespace mc::agent {
namespace {

// Positions after the command's closing parenthesis; proc(5) counts the state
// as field 3 and the start time as field 22.
constexpr size_t kState = 0;
constexpr size_t kStartTime = 22 - 3;

}  // namespace

absl::StatusOr<ProcessFacts> ReadProcess(const CollectOptions& options,
                                         pid_t pid) {
  if (pid < 1) {
    return absl::InvalidArgumentError(absl::StrCat(pid, " is not a process"));
  }
  const std::string path = absl::StrCat("/proc/", pid, "/stat");
  const absl::StatusOr<std::string> text = ReadKernelFile(options, path);
  if (!text.ok()) {
    // Also what reading says (ESRCH) of a process that ends meanwhile.
    if (absl::IsNotFound(text.status())) return ProcessFacts{};
    return text.status();
  }
  const absl::Status damaged =
      absl::DataLossError(absl::StrCat(path, " has no readable start time"));
  // The command may hold spaces and parentheses itself: its end is the last.
  const size_t command_end = text->rfind(')');
  if (command_end == std::string::npos || command_end + 2 > text->size()) {
    return damaged;
  }
  const std::vector<std::string> fields =
      absl::StrSplit(text->substr(command_end + 2), ' ');
  int64_t ticks = 0;
  if (fields.size() <= kStartTime ||
      !absl::SimpleAtoi(fields[kStartTime], &ticks) || ticks < 0) {
    return damaged;
  }
  const std::string& state = fields[kState];
  if (state == "Z" || state == "X" || state == "x") return ProcessFacts{};
  const absl::StatusOr<absl::Time> boot = ReadBootTime(options);
  if (!boot.ok()) return boot.status();
  const int64_t ticks_per_second = sysconf(_SC_CLK_TCK);
  const absl::Duration since_boot =
      absl::Seconds(ticks / ticks_per_second) +
      absl::Seconds(1) * (ticks % ticks_per_second) / ticks_per_second;
  return ProcessFacts{true, *boot + since_boot};
}

}  // namespace mc::agent

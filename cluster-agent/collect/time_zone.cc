#include "cluster-agent/collect/time_zone.h"

#include <unistd.h>

#include <algorithm>
#include <climits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace mc::agent {
namespace {

// The protocol's grammar of a time zone's name.
bool IsZoneName(absl::string_view name) {
  return !name.empty() && name.size() <= 64 && absl::ascii_isalpha(name[0]) &&
         name.back() != '/' && !absl::StrContains(name, "//") &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("_+-/", c);
         });
}

// The name in the target of /etc/localtime; empty when there is none.
std::string LocaltimeZone(const CollectOptions& options) {
  char target[PATH_MAX];
  const ssize_t size = readlink(RootedPath(options, "/etc/localtime").c_str(),
                                target, sizeof(target));
  if (size <= 0) return "";
  absl::string_view name(target, static_cast<size_t>(size));
  constexpr absl::string_view kDatabase = "/zoneinfo/";
  const size_t database = name.rfind(kDatabase);
  if (database == absl::string_view::npos) return "";
  name.remove_prefix(database + kDatabase.size());
  // The same zones again, without and with leap seconds.
  if (!absl::ConsumePrefix(&name, "posix/")) {
    absl::ConsumePrefix(&name, "right/");
  }
  return std::string(name);
}

}  // namespace

absl::StatusOr<std::string> ReadTimeZone(const CollectOptions& options,
                                         const std::string& configured) {
  if (!configured.empty()) {
    if (IsZoneName(configured)) return configured;
    return absl::InvalidArgumentError(
        absl::StrCat("time zone '", configured,
                     "' is not a name of the IANA database; write one such as "
                     "Europe/Vienna"));
  }
  const absl::StatusOr<std::string> file =
      ReadKernelFile(options, "/etc/timezone");
  if (file.ok()) {
    const absl::string_view name = absl::StripAsciiWhitespace(*file);
    if (IsZoneName(name)) return std::string(name);
  }
  const std::string linked = LocaltimeZone(options);
  return IsZoneName(linked) ? linked : "UTC";
}

}  // namespace mc::agent

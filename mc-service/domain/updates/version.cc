#include "mc-service/domain/updates/version.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/ascii.h"

namespace mc::service {
namespace {

bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(c);
  });
}

struct Parts {
  std::string_view numbers;
  // Absent: no pre-release, which is newer than any.
  std::optional<std::string_view> pre_release;
};

Parts Split(std::string_view version) {
  version = version.substr(0, version.find('+'));
  const size_t mark = version.find_first_of("-~");
  if (mark == std::string_view::npos) return {version, std::nullopt};
  return {version.substr(0, mark), version.substr(mark + 1)};
}

// Takes the text before the next dot from the front of `rest`; absent when
// nothing is left.
std::optional<std::string_view> Next(std::optional<std::string_view>& rest) {
  if (!rest.has_value()) return std::nullopt;
  const size_t dot = rest->find('.');
  const std::string_view component = rest->substr(0, dot);
  if (dot == std::string_view::npos) {
    rest.reset();
  } else {
    rest->remove_prefix(dot + 1);
  }
  return component;
}

int CompareComponents(std::string_view a, std::string_view b) {
  const bool a_is_number = IsNumber(a);
  const bool b_is_number = IsNumber(b);
  if (a_is_number != b_is_number) return a_is_number ? -1 : 1;
  if (a_is_number) {
    a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
    b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  }
  return a.compare(b);
}

// Compares dot by dot. A component that only one side has is compared to
// `filler`, or makes that side the newer one where there is none.
int CompareDotted(std::optional<std::string_view> a,
                  std::optional<std::string_view> b,
                  std::optional<std::string_view> filler) {
  while (a.has_value() || b.has_value()) {
    std::optional<std::string_view> left = Next(a);
    std::optional<std::string_view> right = Next(b);
    if (!left.has_value()) left = filler;
    if (!right.has_value()) right = filler;
    if (!left.has_value()) return -1;
    if (!right.has_value()) return 1;
    if (int order = CompareComponents(*left, *right); order != 0) return order;
  }
  return 0;
}

bool IsSuffix(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace

int CompareVersions(std::string_view a, std::string_view b) {
  const Parts left = Split(a);
  const Parts right = Split(b);
  if (int order = CompareDotted(left.numbers, right.numbers, "0"); order != 0) {
    return order;
  }
  if (!left.pre_release.has_value() || !right.pre_release.has_value()) {
    return static_cast<int>(right.pre_release.has_value()) -
           static_cast<int>(left.pre_release.has_value());
  }
  return CompareDotted(left.pre_release, right.pre_release, std::nullopt);
}

bool IsReleaseVersion(std::string_view version) {
  if (version.size() > 64) return false;
  if (const size_t plus = version.find('+'); plus != std::string_view::npos) {
    if (!IsSuffix(version.substr(plus + 1))) return false;
  }
  const Parts parts = Split(version);
  if (parts.pre_release.has_value() && !IsSuffix(*parts.pre_release)) {
    return false;
  }
  std::optional<std::string_view> rest = parts.numbers;
  while (rest.has_value()) {
    if (!IsNumber(*Next(rest))) return false;
  }
  return true;
}

}  // namespace mc::service

#include "mc-service/backup/tar.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace mc::service {
namespace {

constexpr size_t kNameSize = 100;
constexpr size_t kModeAt = 100;
constexpr size_t kOwnerAt = 108;
constexpr size_t kGroupAt = 116;
constexpr size_t kSizeAt = 124;
constexpr size_t kTimeAt = 136;
constexpr size_t kSumAt = 148;
constexpr size_t kSumSize = 8;
constexpr size_t kTypeAt = 156;
constexpr size_t kMagicAt = 257;
constexpr char kMagic[] = "ustar\00000";
constexpr size_t kMagicSize = 8;
// What 11 octal digits can say; larger sizes are binary, as GNU tar has it.
constexpr int64_t kMaxOctal = (int64_t{1} << 33) - 1;

constexpr std::string_view kEndsNumber(" \0", 2);

void Put(std::string& block, size_t at, std::string_view text) {
  block.replace(at, text.size(), text);
}

int64_t Sum(std::string_view block) {
  int64_t sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool blank = i >= kSumAt && i < kSumAt + kSumSize;
    sum += blank ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

// -1 where it is no number.
int64_t Number(std::string_view field) {
  int64_t value = 0;
  if (static_cast<unsigned char>(field.front()) == 0x80) {
    for (const char c : field.substr(field.size() - 8)) {
      value = static_cast<int64_t>(static_cast<uint64_t>(value) << 8 |
                                   static_cast<unsigned char>(c));
    }
    return value;
  }
  for (const char c : field.substr(0, field.find_first_of(kEndsNumber))) {
    if (c < '0' || c > '7') return -1;
    value = value * 8 + (c - '0');
  }
  return value;
}

absl::Status NoHeader() {
  return absl::DataLossError(
      "the archive in the backup is not of the form that `mc-service backup` "
      "writes");
}

}  // namespace

bool IsPlainName(std::string_view name) {
  if (name.empty() || name.size() >= kNameSize ||
      name.find('\0') != std::string_view::npos) {
    return false;
  }
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(name.data(), name.size()), '/');
  return std::none_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part.empty() || part == "." || part == "..";
  });
}

absl::StatusOr<std::string> TarHeader(const TarEntry& entry) {
  if (!IsPlainName(entry.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name ", entry.name,
                     " is too long for a backup, or leads elsewhere; rename "
                     "the file"));
  }
  std::string block(kTarBlock, '\0');
  Put(block, 0, entry.name);
  Put(block, kModeAt, "0000600");
  Put(block, kOwnerAt, "0000000");
  Put(block, kGroupAt, "0000000");
  if (entry.size <= kMaxOctal) {
    Put(block, kSizeAt, absl::StrFormat("%011o", entry.size));
  } else {
    block[kSizeAt] = static_cast<char>(0x80);
    for (int i = 0; i < 8; ++i) {
      block[kSizeAt + 11 - i] = static_cast<char>(entry.size >> (8 * i));
    }
  }
  Put(block, kTimeAt,
      absl::StrFormat(
          "%011o", std::clamp<int64_t>(absl::ToUnixSeconds(entry.modified_at),
                                       0, kMaxOctal)));
  block[kTypeAt] = '0';
  Put(block, kMagicAt, std::string_view(kMagic, kMagicSize));
  Put(block, kSumAt, absl::StrFormat("%06o", Sum(block)));
  Put(block, kSumAt + 6, std::string_view("\0 ", 2));
  return block;
}

std::string TarPadding(int64_t size) {
  return std::string((kTarBlock - size % kTarBlock) % kTarBlock, '\0');
}

std::string TarEnd() { return std::string(2 * kTarBlock, '\0'); }

absl::StatusOr<std::optional<TarEntry>> ParseTarHeader(std::string_view block) {
  if (block.size() != kTarBlock) return NoHeader();
  if (block.find_first_not_of('\0') == std::string_view::npos) {
    return std::optional<TarEntry>();
  }
  TarEntry entry;
  entry.name = std::string(block.substr(0, kNameSize));
  entry.name.resize(strlen(entry.name.c_str()));
  entry.size = Number(block.substr(kSizeAt, 12));
  entry.modified_at = absl::FromUnixSeconds(
      std::max<int64_t>(0, Number(block.substr(kTimeAt, 12))));
  if (Number(block.substr(kSumAt, kSumSize)) != Sum(block) ||
      block[kTypeAt] != '0' || entry.size < 0 || !IsPlainName(entry.name)) {
    return NoHeader();
  }
  return std::optional<TarEntry>(std::move(entry));
}

}  // namespace mc::service

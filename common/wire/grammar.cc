#include "common/wire/grammar.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace mc {
namespace {

namespace v1 = missioncontrol::v1;

constexpr size_t kMaxIdSize = 128;
constexpr size_t kMaxVersionSize = 64;
constexpr size_t kMaxTimeZoneSize = 64;
constexpr size_t kMaxTokenSize = 512;
constexpr size_t kMaxOpaqueSize = 64 * 1024;
constexpr size_t kMaxFreeTextCharacters = 1024;

constexpr uint8_t kAlphanumeric = 1;
constexpr uint8_t kIdMark = 2;
constexpr uint8_t kVersionMark = 4;
constexpr uint8_t kTimeZoneMark = 8;
constexpr uint8_t kVisible = 16;

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view characters, uint8_t type) {
    for (const char c : characters) classes[static_cast<uint8_t>(c)] |= type;
  };
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
      kAlphanumeric);
  add("._:-", kIdMark);
  add(".+~_-", kVersionMark);
  add("_+-/", kTimeZoneMark);
  for (int c = 0x21; c < 0x7f; ++c) classes[c] |= kVisible;
  return classes;
}();

bool AllOf(std::string_view text, unsigned classes) {
  for (const char c : text) {
    if ((kClasses[static_cast<uint8_t>(c)] & classes) == 0) return false;
  }
  return true;
}

bool StartsAlphanumeric(std::string_view text) {
  return (kClasses[static_cast<uint8_t>(text.front())] & kAlphanumeric) != 0;
}

// Up to the bound, without the control characters C0, DEL and C1.
bool IsFreeText(std::string_view text) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    // U+0080 to U+009F are C2 80 to C2 9F in UTF-8.
    if (c == 0xc2 && i + 1 < text.size() &&
        static_cast<uint8_t>(text[i + 1]) < 0xa0) {
      return false;
    }
    if ((c & 0xc0) != 0x80) ++characters;
  }
  return characters <= kMaxFreeTextCharacters;
}

}  // namespace

const char* FormatProblem(v1::Format format, std::string_view text) {
  if (text.empty()) return nullptr;
  switch (format) {
    case v1::FORMAT_ID:
      if (text.size() <= kMaxIdSize && StartsAlphanumeric(text) &&
          AllOf(text, kAlphanumeric | kIdMark)) {
        return nullptr;
      }
      return "must be 1 to 128 of A-Z a-z 0-9 . _ : - and start with a letter "
             "or digit";
    case v1::FORMAT_VERSION:
      if (text.size() <= kMaxVersionSize && StartsAlphanumeric(text) &&
          AllOf(text, kAlphanumeric | kVersionMark)) {
        return nullptr;
      }
      return "must be 1 to 64 of A-Z a-z 0-9 . + ~ _ - and start with a letter "
             "or digit";
    case v1::FORMAT_TIME_ZONE:
      if (text.size() <= kMaxTimeZoneSize &&
          AllOf(text, kAlphanumeric | kTimeZoneMark)) {
        return nullptr;
      }
      return "must be a name of the IANA time zone database, for instance "
             "Europe/Vienna";
    case v1::FORMAT_TOKEN:
      if (text.size() <= kMaxTokenSize && AllOf(text, kVisible)) return nullptr;
      return "must be 1 to 512 visible ASCII characters";
    case v1::FORMAT_OPAQUE:
      if (text.size() <= kMaxOpaqueSize) return nullptr;
      return "must not be over 64 KiB";
    case v1::FORMAT_FREE_TEXT:
      if (IsFreeText(text)) return nullptr;
      return "must be up to 1024 characters without control characters";
    default:
      return "has a format that this program does not know";
  }
}

}  // namespace mc

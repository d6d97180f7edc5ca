#include "common/cli/output.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/time/proto_time.h"
#include "google/protobuf/util/json_util.h"

namespace mc {

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message,
                                   bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError(status.ToString());
  if (one_line) json += "\n";
  return json;
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  const auto value = FromProto(time);
  if (!value.ok() || (time.seconds() == 0 && time.nanos() == 0)) return "";
  return FormatUtc(*value);
}

std::string EnumText(const google::protobuf::EnumDescriptor& type, int number) {
  if (number == 0) return "";
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr) return std::to_string(number);
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  prefix += '_';
  std::string name(value->name());
  if (absl::StartsWith(name, prefix)) name.erase(0, prefix.size());
  return name;
}

std::string Properties(
    const std::vector<std::pair<std::string, std::string>>& properties) {
  size_t width = 0;
  for (const auto& [name, value] : properties) {
    width = std::max(width, name.size());
  }
  std::string text;
  for (const auto& [name, value] : properties) {
    text += name + ":";
    text.append(width - name.size() + 1, ' ');
    for (const char c : value.empty() ? std::string("-") : value) {
      text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
    text += "\n";
  }
  return text;
}

void HintNextPage(std::string_view next_page_token) {
  if (next_page_token.empty()) return;
  std::cerr << "There is more: --page-token " << next_page_token << "\n";
}

}  // namespace mc

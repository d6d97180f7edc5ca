#include "cluster-agent/cli/json.h"

#include <google/protobuf/util/json_util.h>

#include <iostream>
#include <iterator>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/files/files.h"

namespace mc::agent {

absl::Status PrintJson(const google::protobuf::Message& message) {
  const absl::StatusOr<std::string> text = ToJson(message, /*one_line=*/false);
  if (!text.ok()) return text.status();
  std::cout << *text << std::flush;
  return absl::OkStatus();
}

absl::Status ReadJsonInput(const std::string& file,
                           google::protobuf::Message* out) {
  absl::StatusOr<std::string> text;
  if (file == "-") {
    text = std::string(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    text = ReadFile(file);
  }
  if (!text.ok()) return text.status();
  const auto parsed = google::protobuf::util::JsonStringToMessage(*text, out);
  if (parsed.ok()) return absl::OkStatus();
  const std::string detail(parsed.message().data(), parsed.message().size());
  return absl::InvalidArgumentError(absl::StrCat(
      file == "-" ? "standard input" : file, " is not the JSON of ",
      out->GetDescriptor()->name(), ": ", detail.substr(0, detail.find('\n'))));
}

}  // namespace mc::agent

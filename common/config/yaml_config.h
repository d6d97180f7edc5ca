// Configuration files: YAML whose keys are the fields of a protobuf message.
//
//   - an unknown key, a key that comes twice, and a value of the wrong type are
//     errors; the error names the file, the line, the key and what is allowed
//   - enums are written in lower case without their prefix: `allowed` for
//     PERMISSION_ALLOWED
//   - durations are a number and a unit: 500ms, 30s, 5m, 1h, 14d
#ifndef COMMON_CONFIG_YAML_CONFIG_H_
#define COMMON_CONFIG_YAML_CONFIG_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace mc {

// INVALID_ARGUMENT for what is wrong in the text. `name` stands for the file in
// errors. An empty text is an empty message. Thread-safe.
absl::Status ParseYaml(std::string_view text, std::string_view name,
                       google::protobuf::Message* out);

// As ParseYaml, or the error of reading the file. At most 1 MiB.
absl::Status LoadYaml(const std::string& path, google::protobuf::Message* out);

}  // namespace mc

#endif  // COMMON_CONFIG_YAML_CONFIG_H_

// How command lines show values, in JSON and for people.
#ifndef COMMON_CLI_OUTPUT_H_
#define COMMON_CLI_OUTPUT_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"

namespace mc {

// Protobuf's JSON; on one line, or indented.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message,
                                   bool one_line);

// RFC 3339 in UTC; "" for an absent time.
std::string TimeText(const google::protobuf::Timestamp& time);

// The name without its enum's prefix: ACTIVE for LICENSE_STATUS_ACTIVE; "" for
// the unspecified value.
std::string EnumText(const google::protobuf::EnumDescriptor& type, int number);

// `LICENSE_STATUS_ACTIVE` as EnumText(license.status()).
template <typename Enum>
std::string EnumText(Enum value) {
  return EnumText(*google::protobuf::GetEnumDescriptor<Enum>(), value);
}

// Name and value, a line each; values are aligned.
std::string Properties(
    const std::vector<std::pair<std::string, std::string>>& properties);

// Tells, on standard error, how to see the next page.
void HintNextPage(std::string_view next_page_token);

}  // namespace mc

#endif  // COMMON_CLI_OUTPUT_H_

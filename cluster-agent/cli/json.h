// Protobuf JSON on the command line.
#ifndef MC_CLUSTER_AGENT_CLI_JSON_H_
#define MC_CLUSTER_AGENT_CLI_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace mc::agent {

// To standard output, with camelCase names, on several lines.
absl::Status PrintJson(const google::protobuf::Message& message);

// From a file, or from standard input for "-". INVALID_ARGUMENT: it is not the
// JSON of this message.
absl::Status ReadJsonInput(const std::string& file,
                           google::protobuf::Message* out);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_JSON_H_

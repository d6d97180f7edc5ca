// The agent's state files, for commands that work without a running agent.
#ifndef MC_CLUSTER_AGENT_CLI_STATE_FILES_H_
#define MC_CLUSTER_AGENT_CLI_STATE_FILES_H_

#include <google/protobuf/util/json_util.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/files/files.h"

namespace mc::agent {

// NOT_FOUND where it is not there (yet); DATA_LOSS where it is damaged.
template <typename Message>
absl::StatusOr<Message> ReadStateFile(const Configuration& configuration,
                                      const char* name) {
  const absl::StatusOr<std::string> text = ReadPrivateFile(
      absl::StrCat(configuration.values.state_directory(), "/", name));
  if (!text.ok()) return text.status();
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  Message message;
  if (!google::protobuf::util::JsonStringToMessage(*text, &message, options)
           .ok()) {
    return absl::DataLossError(absl::StrCat(name, " is damaged"));
  }
  return message;
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_STATE_FILES_H_

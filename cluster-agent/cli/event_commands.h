// Events: what the product tells, and what the agent has kept.
#ifndef MC_CLUSTER_AGENT_CLI_EVENT_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_EVENT_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "cluster-agent/cli/site_commands.h"

namespace mc::agent {

// Reads the file, whether the agent runs or not.
absl::Status ListEvents(const CommonArguments& common, int page_size,
                        const std::string& page_token);

struct EventArguments {
  // A RecordEventsRequest as JSON, "-" for standard input; else one event of
  // what follows.
  std::string file;
  // As in the contract, for instance update_started.
  std::string type;
  // Empty: that of the type.
  std::string severity;
  // Empty: drawn, so that the event is recorded each time.
  std::string id;
  std::string node_id;
};
absl::Status RecordEvent(const CommonArguments& common,
                         const EventArguments& event);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_EVENT_COMMANDS_H_

// The commands that talk to the agent of this machine, or look at its files.
#ifndef MC_CLUSTER_AGENT_CLI_SITE_COMMANDS_H_
#define MC_CLUSTER_AGENT_CLI_SITE_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mc::agent {

struct CommonArguments {
  std::string config_file;
  bool json = false;
};

// `check`: an error unless the agent is connected. UNAVAILABLE where no agent
// runs; then the error says what its files say.
absl::Status ShowStatus(const CommonArguments& common, bool check);

struct UsageArguments {
  // A RecordUsageRequest as JSON, "-" for standard input; else one record of
  // what follows.
  std::string file;
  std::string environment;
  // Empty: drawn, so that the record counts each time.
  std::string key;
  // Absent: -1.
  int64_t rum_sessions = -1;
  int64_t new_problems = -1;
  // ID:UNIT:QUANTITY
  std::string meter;
};
absl::Status RecordUsage(const CommonArguments& common,
                         const UsageArguments& usage);
absl::Status RecordTraffic(const CommonArguments& common, int64_t bytes);

absl::Status DescribeEnvironments(const CommonArguments& common,
                                  const std::vector<std::string>& ids);
struct NodeArguments {
  // A DescribeNodeRequest as JSON; what follows is put over it.
  std::string file;
  std::string product_version;
  // As in the configuration, for instance running.
  std::string server_state;
  // NAME=STATE
  std::vector<std::string> services;
};
absl::Status DescribeNode(const CommonArguments& common,
                          const NodeArguments& node);
absl::Status DescribeActiveGates(const CommonArguments& common,
                                 const std::string& file);

// Prints every problem; the error has no message, for all is said.
absl::Status Validate(const CommonArguments& common);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_SITE_COMMANDS_H_

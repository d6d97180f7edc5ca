// The agent's configuration with every default filled in.
#ifndef MC_CLUSTER_AGENT_DOMAIN_CONFIG_AGENT_CONFIG_H_
#define MC_CLUSTER_AGENT_DOMAIN_CONFIG_AGENT_CONFIG_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/collect/partitions.h"
#include "cluster-agent/domain/proxy/proxy.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

namespace config = missioncontrol::config::v1;

struct Configuration {
  // As it was named.
  std::string file;
  // What has a default has a value; paths are absolute or relative to the
  // working directory.
  config::AgentConfig values;

  std::string AgentSocket() const;
  std::string AdminSocket() const;
  std::string OutboxFile() const;
};

// INVALID_ARGUMENT for what cannot be read as a configuration, unknown keys
// and wrong types; else the error of reading it. Values are not judged.
absl::StatusOr<Configuration> LoadConfiguration(const std::string& file);

// Every problem of the values alone, one line each, with the key and what to
// do. Empty: none.
std::vector<std::string> CheckConfiguration(const Configuration& configuration);

// What the agent needs of the files that the configuration names.
struct AgentFiles {
  // A secret; empty for a node.
  std::string license_key;
  // Empty: the system's CAs.
  std::string root_pem;
  ProxySettings proxy;
  config::Inventory inventory;
};

// Reads and checks them; the first problem is the error. `environment_key` is
// the value of MC_LICENSE_KEY, which takes the file's place; null: not set.
// The proxy may come from the process's environment.
absl::StatusOr<AgentFiles> LoadFiles(const Configuration& configuration,
                                     const char* environment_key);

// Every problem of the values and of the files.
std::vector<std::string> FindProblems(const Configuration& configuration,
                                      const char* environment_key);

// A configuration that FindProblems has nothing to say about, or
// INVALID_ARGUMENT with the first problem in one line.
struct CheckedConfiguration {
  Configuration configuration;
  AgentFiles files;
};
absl::StatusOr<CheckedConfiguration> LoadChecked(const std::string& file,
                                                 const char* environment_key);

// CA certificates in PEM; of no file: empty, the system's. INVALID_ARGUMENT
// for what holds none.
absl::StatusOr<std::string> LoadRoots(const std::string& file);

// Adds a problem unless it is host:port; `key` names it.
void CheckAddress(std::string_view key, const std::string& address,
                  std::vector<std::string>& problems);

// Of a configuration without problems.
std::vector<PartitionConfig> PartitionsOf(const config::AgentConfig& values);
absl::Duration ToAbsl(const google::protobuf::Duration& duration);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_CONFIG_AGENT_CONFIG_H_

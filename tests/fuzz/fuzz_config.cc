// Files that people write: the configuration of each program, and inventories.
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/inventory/inventory.h"
#include "cluster-agent/domain/usage/check.h"
#include "common/config/yaml_config.h"
#include "mc-service/cli/checks.h"
#include "missioncontrol/config/v1/agent.pb.h"
#include "missioncontrol/config/v1/ctl.pb.h"
#include "missioncontrol/config/v1/service.pb.h"
#include "tests/fuzz/fuzz.h"

namespace mc::fuzz {
namespace {

namespace config = missioncontrol::config::v1;

template <typename T>
bool Read(std::string_view text, T& values) {
  if (!ParseYaml(text, "test.yaml", &values).ok()) return false;
  T again;
  Require(again.ParseFromString(values.SerializeAsString()) &&
              again.SerializeAsString() == values.SerializeAsString(),
          "what was read is a message");
  return true;
}

void Service(std::string_view text) {
  service::Configuration configuration{.file = "/nonexistent/test.yaml",
                                       .values = {}};
  if (!Read(text, configuration.values)) return;
  configuration.values.set_state_directory("/nonexistent/state");
  service::ApplyDefaults("/nonexistent", configuration.values);
  const auto problems = service::CheckConfiguration(
      configuration, absl::FromUnixSeconds(1'795'255'200));
  service::ProblemsAsText(problems);
  service::ProblemsAsJson(problems);
}

void Agent(std::string_view text) {
  agent::Configuration configuration{.file = "/nonexistent/test.yaml",
                                     .values = {}};
  if (!Read(text, configuration.values)) return;
  // As the defaults have it.
  if (configuration.values.host_root().empty()) {
    configuration.values.set_host_root("/nonexistent");
  }
  agent::CheckConfiguration(configuration);
}

void Inventory(std::string_view text) {
  config::Inventory inventory;
  if (!Read(text, inventory) || !agent::CheckInventory(inventory).ok()) return;
  const absl::Time end = absl::FromUnixSeconds(1'795'255'200);
  const agent::TimeFrame hour{end - absl::Minutes(20), end};
  agent::EnvironmentIds(inventory);
  for (const auto& record : agent::HostRecords(inventory, hour)) {
    Require(agent::CheckUsageRecord(record, end).ok(),
            "hosts of an inventory can be recorded");
  }
}

void Ctl(std::string_view text) {
  config::CtlConfig values;
  Read(text, values);
}

constexpr Parser kParsers[] = {
    {"service", Service},
    {"agent", Agent},
    {"inventory", Inventory},
    {"ctl", Ctl},
};

}  // namespace

std::span<const Parser> Parsers() { return kParsers; }

}  // namespace mc::fuzz

#include "cluster-agent/cli/node_commands.h"

#include <signal.h>

#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/agent.h"
#include "cluster-agent/cli/agent_commands.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/process_log.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/exchange/in_flight.h"
#include "cluster-agent/node/join.h"
#include "cluster-agent/node_agent.h"
#include "cluster-agent/state/node_state.h"
#include "common/lifecycle/lifecycle.h"
#include "common/log/log.h"
#include "common/rpc/grpc_log.h"
#include "common/time/clock.h"
#include "google/protobuf/struct.pb.h"

namespace mc::agent {
namespace {

absl::StatusOr<CheckedConfiguration> Load(const std::string& file) {
  absl::StatusOr<CheckedConfiguration> checked = LoadChecked(file, nullptr);
  if (checked.ok() && !IsNode(checked->configuration.values)) {
    return absl::InvalidArgumentError(absl::StrCat(
        file,
        ": node is missing; name the master's join port in "
        "node.join_address. A master is started with cluster-agent run"));
  }
  return checked;
}

JoinTokenSource TokenOf(const config::AgentConfig& values) {
  return {.environment = EnvironmentJoinToken(),
          .file = values.node().join_token_file()};
}

}  // namespace

absl::Status RunNode(const std::string& config_file) {
  absl::StatusOr<CheckedConfiguration> checked = Load(config_file);
  if (!checked.ok()) return checked.status();
  const JoinTokenSource token = TokenOf(checked->configuration.values);
  BeginLog(checked->configuration.values.log());
  StopSignal stop;
  RaiseDescriptorLimit();
  RealClock clock;
  absl::StatusOr<std::unique_ptr<NodeAgent>> agent =
      NodeAgent::Start({.checked = *std::move(checked),
                        .token = token,
                        .clock = &clock,
                        .on_failed = [] { StopSignal::RequestStop(); }});
  if (!agent.ok()) return agent.status();
  LogInfo("ready", {{"version", AgentVersion()}});
  stop.Wait();
  LogInfo("stopping");
  (*agent)->Stop();
  LogInfo("stopped");
  return (*agent)->failure();
}

absl::Status JoinNode(const CommonArguments& common,
                      const std::string& token_file) {
  const absl::StatusOr<CheckedConfiguration> checked = Load(common.config_file);
  if (!checked.ok()) return checked.status();
  const config::AgentConfig& values = checked->configuration.values;
  JoinTokenSource source = TokenOf(values);
  if (!token_file.empty()) source = {.environment = "", .file = token_file};
  if (source.empty()) {
    return absl::InvalidArgumentError(
        "no join token; make one on the master with cluster-agent node token "
        "create, and name its file with --token-file");
  }
  absl::StatusOr<std::string> token = source.Read();
  if (!token.ok()) return token.status();
  // A server that closes the connection is an error like another.
  signal(SIGPIPE, SIG_IGN);
  SetGrpcLog(nullptr);
  absl::StatusOr<NodeState> state = OpenNodeState(values);
  if (!state.ok()) return state.status();
  SharedNodeState shared;
  shared.directory = &*state;
  InFlight in_flight;
  const RealClock clock;
  const absl::Status joined = JoinSite({.address = values.node().join_address(),
                                        .token = *std::move(token),
                                        .agent_version = AgentVersion(),
                                        .state = &shared,
                                        .in_flight = &in_flight,
                                        .clock = &clock});
  if (!joined.ok()) return joined;
  const config::AgentNode& node = state->values();
  if (common.json) {
    google::protobuf::Struct result;
    auto& fields = *result.mutable_fields();
    fields["clusterId"].set_string_value(node.cluster_id());
    fields["nodeId"].set_string_value(node.node_id());
    fields["masterAddress"].set_string_value(node.master_address());
    return PrintJson(result);
  }
  std::cout << "Joined the site of cluster " << node.cluster_id() << " as node "
            << node.node_id() << "\n";
  return absl::OkStatus();
}

}  // namespace mc::agent

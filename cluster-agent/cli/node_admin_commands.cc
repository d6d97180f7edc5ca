#include "cluster-agent/cli/node_admin_commands.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Stub = v1::AgentService::Stub;

template <typename Request, typename Response>
absl::Status CallAdmin(const CommonArguments& common,
                       grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                    const Request&, Response*),
                       const Request& request, Response* response) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  return SiteClient(configuration->AdminSocket())
      .Call(method, request, response);
}

std::string TextOf(const v1::ListNodesResponse& response) {
  Table table({"NODE", "STATE", "MASTER", "JOINED", "LAST REPORT", "AGENT",
               "CERTIFICATE UNTIL", "ACTIVEGATES"});
  for (const v1::NodeEntry& node : response.nodes()) {
    table.Add({node.node_id(), EnumText(node.state()),
               node.master() ? "yes" : "no", TimeText(node.joined_at()),
               TimeText(node.last_report_at()), node.agent_version(),
               TimeText(node.certificate_not_after()),
               absl::StrCat(node.active_gates())});
  }
  return table.Text();
}

}  // namespace

absl::Status CreateJoinToken(const CommonArguments& common,
                             const std::string& ttl, int uses) {
  absl::Duration lifetime;
  if (!absl::ParseDuration(ttl, &lifetime) || lifetime < absl::Seconds(1) ||
      lifetime > absl::Hours(24 * 30)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--ttl \"", ttl,
                     "\" is no time from 1s to 720h; write for instance 90m"));
  }
  v1::CreateJoinTokenRequest request;
  *request.mutable_lifetime() = mc::ToProto(lifetime);
  request.set_uses(uses);
  v1::CreateJoinTokenResponse response;
  const absl::Status status =
      CallAdmin(common, &Stub::CreateJoinToken, request, &response);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(response);
  // The token alone, so that it can be written to a file.
  std::cout << response.token() << "\n";
  std::cerr << "Good until " << TimeText(response.expires_at()) << ", for "
            << uses << (uses == 1 ? " node" : " nodes")
            << ". It is not shown again.\n";
  return absl::OkStatus();
}

absl::Status ListNodes(const CommonArguments& common, int page_size,
                       const std::string& page_token) {
  v1::ListNodesRequest request;
  request.set_page_size(page_size);
  request.set_page_token(page_token);
  v1::ListNodesResponse response;
  const absl::Status status =
      CallAdmin(common, &Stub::ListNodes, request, &response);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(response);
  std::cout << TextOf(response);
  HintNextPage(response.next_page_token());
  return absl::OkStatus();
}

absl::Status RemoveNode(const CommonArguments& common,
                        const std::string& node_id) {
  v1::RemoveNodeRequest request;
  request.set_node_id(node_id);
  v1::RemoveNodeResponse response;
  const absl::Status status =
      CallAdmin(common, &Stub::RemoveNode, request, &response);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(response);
  std::cout << "Removed node " << node_id << "\n";
  return absl::OkStatus();
}

}  // namespace mc::agent

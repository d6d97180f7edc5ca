// The administrator's calls about the nodes of the site.
#include "cluster-agent/domain/site/site_view.h"
#include "cluster-agent/local/agent_service.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

absl::Status NotMaster(std::string_view message) {
  return Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_NOT_MASTER, message);
}

absl::Status NoSite() {
  return NotMaster(
      "no other node can join here; set site.listen in the configuration of "
      "the site's master, and restart it");
}

}  // namespace

grpc::ServerUnaryReactor* LocalAgentService::CreateJoinToken(
    Context* context, const v1::CreateJoinTokenRequest* request,
    v1::CreateJoinTokenResponse* response) {
  return RunAsAdmin(context, [this, request, response] {
    if (deps_.nodes == nullptr) return NoSite();
    const absl::Status status = CheckMessage(*request);
    if (!status.ok()) return status;
    absl::StatusOr<CreatedToken> created = deps_.nodes->CreateToken(
        FromProto(request->lifetime()).value_or(absl::ZeroDuration()),
        request->uses());
    if (!created.ok()) return created.status();
    response->set_token(std::move(created->token));
    *response->mutable_expires_at() = mc::ToProto(created->expires_at);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* LocalAgentService::ListNodes(
    Context* context, const v1::ListNodesRequest* request,
    v1::ListNodesResponse* response) {
  return RunAsAdmin(context, [this, request, response] {
    if (!deps_.own_node) {
      return NotMaster("this is a node; ask the agent of the site's master");
    }
    absl::StatusOr<v1::ListNodesResponse> page =
        mc::agent::ListNodes(deps_.own_node(),
                             deps_.nodes == nullptr ? std::vector<KnownNode>()
                                                    : deps_.nodes->Nodes(),
                             *request);
    if (page.ok()) *response = *std::move(page);
    return page.status();
  });
}

grpc::ServerUnaryReactor* LocalAgentService::RemoveNode(
    Context* context, const v1::RemoveNodeRequest* request,
    v1::RemoveNodeResponse*) {
  return RunAsAdmin(context, [this, request] {
    if (deps_.nodes == nullptr) return NoSite();
    const absl::Status status = CheckMessage(*request);
    return status.ok() ? deps_.nodes->Remove(request->node_id()) : status;
  });
}

}  // namespace mc::agent

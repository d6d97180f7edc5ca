#include "cluster-agent/cli/site_client.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/in_flight.h"
#include "common/rpc/grpc_log.h"
#include "common/status/grpc_status.h"

namespace mc::agent {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(15);

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& socket) {
  SetGrpcLog(nullptr);
  return grpc::CreateChannel(absl::StrCat("unix:", socket),
                             grpc::experimental::LocalCredentials(UDS));
}

}  // namespace

SiteClient::SiteClient(const std::string& socket)
    : socket_(socket),
      stub_(missioncontrol::v1::AgentService::NewStub(ChannelTo(socket))) {}

void SiteClient::SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(DeadlineIn(kDeadline));
}

absl::Status SiteClient::Explained(const grpc::Status& status) const {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
      !status.error_details().empty()) {
    return FromGrpc(status);
  }
  if (::access(socket_.c_str(), W_OK) != 0 && errno == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat(
        "you may not use ", socket_,
        "; run this as root, as the agent's user, or (for agent.sock) as a "
        "member of product_group"));
  }
  return absl::UnavailableError(absl::StrCat(
      "no agent answers at ", socket_, "; start it with cluster-agent run"));
}

}  // namespace mc::agent

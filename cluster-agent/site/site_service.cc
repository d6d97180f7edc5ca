#include "cluster-agent/site/site_service.h"

#include <memory>

#include "cluster-agent/site/node_identity.h"
#include "cluster-agent/site/node_stream.h"
#include "common/crypto/csr.h"
#include "common/log/log.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Unary = grpc::ServerUnaryReactor;
using Context = grpc::CallbackServerContext;

Unary* Ended(Context* context, const absl::Status& status) {
  Unary* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(PublicStatus(status)));
  return reactor;
}

}  // namespace

absl::Status SiteServiceImpl::Only(SitePort port) const {
  if (port_ == port) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_METHOD_NOT_ALLOWED,
               port == SitePort::kJoin ? "nodes join on the other port"
                                       : "this is for the port of nodes that "
                                         "have joined");
}

Unary* SiteServiceImpl::Run(Context* context,
                            std::function<absl::Status()> work) const {
  Unary* reactor = context->DefaultReactor();
  if (!deps_->executor->TryRun([reactor, work = std::move(work)] {
        reactor->Finish(ToGrpc(PublicStatus(work())));
      })) {
    reactor->Finish(ToGrpc(Error(absl::StatusCode::kUnavailable,
                                 v1::ERROR_REASON_OVERLOADED,
                                 "the master is busy or stops; try again")));
  }
  return reactor;
}

Unary* SiteServiceImpl::Join(Context* context, const v1::JoinRequest* request,
                             v1::JoinResponse* response) {
  absl::Status status = Only(SitePort::kJoin);
  if (status.ok()) status = deps_->attempts->Attempt(context->peer());
  if (status.ok()) status = CheckMessage(*request);
  if (!status.ok()) return Ended(context, status);
  return Run(context, [this, context, request, response] {
    absl::StatusOr<IssuedCertificate> issued = deps_->registry->Join(*request);
    if (!issued.ok()) {
      LogWarning(
          "a node was not let in",
          {{"peer", context->peer()}, {"result", ResultName(issued.status())}});
      return issued.status();
    }
    response->set_node_certificate(std::move(issued->der));
    response->set_site_ca(deps_->authority->ca_der());
    response->set_node_address(deps_->node_address());
    return absl::OkStatus();
  });
}

Unary* SiteServiceImpl::RenewNodeCertificate(
    Context* context, const v1::RenewNodeCertificateRequest* request,
    v1::RenewNodeCertificateResponse* response) {
  absl::Status status = Only(SitePort::kNodes);
  if (status.ok()) status = CheckMessage(*request);
  if (!status.ok()) return Ended(context, status);
  const absl::StatusOr<CallingNode> node = Identify(*deps_, *context);
  if (!node.ok()) return Ended(context, node.status());
  return Run(context, [this, node_id = node->node_id, request, response] {
    absl::StatusOr<IssuedCertificate> issued =
        deps_->registry->Renew(node_id, request->certificate_signing_request());
    if (!issued.ok()) return issued.status();
    response->set_node_certificate(std::move(issued->der));
    return absl::OkStatus();
  });
}

grpc::ServerBidiReactor<v1::StreamNodeReportsRequest,
                        v1::StreamNodeReportsResponse>*
SiteServiceImpl::StreamNodeReports(Context* context) {
  const absl::Status status = Only(SitePort::kNodes);
  if (!status.ok()) return NodeStream::Launch(NodeStream::Refused(status));
  const absl::StatusOr<CallingNode> node = Identify(*deps_, *context);
  if (!node.ok()) {
    return NodeStream::Launch(NodeStream::Refused(node.status()));
  }
  return NodeStream::Launch(NodeStream::Open(*deps_, *node));
}

}  // namespace mc::agent

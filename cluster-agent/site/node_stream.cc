#include "cluster-agent/site/node_stream.h"

#include <string>
#include <utility>

#include "cluster-agent/domain/mastership/other_master.h"
#include "cluster-agent/domain/site/node_report.h"
#include "common/log/log.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// A report waits for the receipt of the one before.
constexpr size_t kMaxUnanswered = 2;

absl::Status HelloExpected() {
  return Error(absl::StatusCode::kInvalidArgument,
               v1::ERROR_REASON_HELLO_EXPECTED,
               "the first message must be Hello, and only the first");
}

}  // namespace

NodeStream::NodeStream(const SiteDeps* deps, CallingNode node)
    : BidiReactor(kMaxUnanswered), deps_(deps), node_(std::move(node)) {}

std::shared_ptr<NodeStream> NodeStream::Refused(const absl::Status& refused) {
  auto stream = std::make_shared<NodeStream>(nullptr, CallingNode());
  stream->End(ToGrpc(refused));
  return stream;
}

std::shared_ptr<NodeStream> NodeStream::Open(const SiteDeps& deps,
                                             const CallingNode& node) {
  auto stream = std::make_shared<NodeStream>(&deps, node);
  const std::weak_ptr<BidiReactor> weak = stream->weak_from_this();
  stream->number_ =
      deps.streams->Add(node.node_id, [weak](const absl::Status& status) {
        if (const auto open = weak.lock()) open->End(ToGrpc(status));
      });
  stream->StartReading();
  return stream;
}

void NodeStream::OnOver(const grpc::Status&) {
  if (deps_ != nullptr) deps_->streams->Remove(node_.node_id, number_);
}

void NodeStream::OnMessage(v1::StreamNodeReportsRequest& request) {
  absl::Status status;
  switch (request.message_case()) {
    case v1::StreamNodeReportsRequest::kHello:
      status = OnHello(request.hello());
      break;
    case v1::StreamNodeReportsRequest::kReport:
      status = OnReport(*request.mutable_report());
      break;
    default:
      status = InvalidField("message", "neither Hello nor a report");
  }
  if (!status.ok()) End(ToGrpc(PublicStatus(status)));
}

absl::Status NodeStream::OnHello(const v1::NodeHello& hello) {
  if (welcomed_) return HelloExpected();
  const absl::Status status = CheckMessage(hello);
  if (!status.ok()) return status;
  welcomed_ = true;
  if (deps_->on_other_master &&
      IsOtherMaster(hello, deps_->master_instance_id, deps_->silent_after,
                    deps_->clock->SinceBoot() - deps_->started)) {
    deps_->on_other_master(hello.last_master_instance_id());
  }
  LogDebug("a node has connected", {{"node_id", node_.node_id},
                                    {"agent_version", hello.agent_version()}});
  v1::StreamNodeReportsResponse response;
  v1::NodeWelcome& welcome = *response.mutable_welcome();
  welcome.set_master_instance_id(deps_->master_instance_id);
  welcome.set_master_node_id(deps_->master_node_id);
  *welcome.mutable_report_interval() = ToProto(deps_->report_interval);
  *welcome.mutable_master_time() = ToProto(deps_->clock->Now());
  Answer(std::move(response));
  return absl::OkStatus();
}

absl::Status NodeStream::OnReport(v1::NodeReport& report) {
  if (!welcomed_) return HelloExpected();
  // What has changed since the stream was opened.
  absl::Status status = deps_->registry->Admit(node_.node_id, node_.serial_hex);
  if (!status.ok()) return status;
  status = CheckNodeReport(report);
  if (!status.ok()) return status;
  if (!report.node().node_id().empty() &&
      report.node().node_id() != node_.node_id) {
    return Error(absl::StatusCode::kPermissionDenied,
                 v1::ERROR_REASON_IDENTITY_MISMATCH,
                 "the report is another node's than the certificate");
  }
  report.mutable_node()->set_node_id(node_.node_id);
  report.mutable_node()->set_master(false);
  deps_->registry->Report(node_.node_id, std::move(report));
  v1::StreamNodeReportsResponse response;
  response.mutable_receipt();
  Answer(std::move(response));
  return absl::OkStatus();
}

}  // namespace mc::agent

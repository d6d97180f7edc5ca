#include "cluster-agent/local/agent_service.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Unary = grpc::ServerUnaryReactor;
using Context = grpc::CallbackServerContext;

constexpr int kMaxRecords = 1000;

Unary* Ended(Context* context, const absl::Status& status) {
  Unary* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status Busy() {
  return Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
               "the agent is busy or stopping; try again");
}

// Ends a stream that never begins.
template <typename Response>
class RefusedStream : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const absl::Status& status) {
    this->Finish(ToGrpc(status));
  }
  void OnDone() override { delete this; }
};

}  // namespace

absl::Status LocalAgentService::AdminOnly() const {
  if (socket_ == LocalSocket::kAdmin) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_METHOD_NOT_ALLOWED,
               "this call is the administrator's; use admin.sock");
}

absl::Status LocalAgentService::MasterOnly() const {
  if (deps_.outbox != nullptr) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               v1::ERROR_REASON_NOT_MASTER,
               socket_ == LocalSocket::kAdmin
                   ? "this is a node of the site; ask the agent of its master"
                   : "this is a node of the site; call agent.sock of its "
                     "master");
}

absl::Status LocalAgentService::NotSupportedYet(LocalSocket socket) const {
  absl::Status status =
      socket == LocalSocket::kAdmin ? AdminOnly() : absl::OkStatus();
  if (status.ok()) status = MasterOnly();
  if (!status.ok()) return status;
  return Error(absl::StatusCode::kUnimplemented,
               v1::ERROR_REASON_NOT_SUPPORTED_YET,
               "this agent does not support the call yet");
}

Unary* LocalAgentService::NotYet(Context* context, LocalSocket socket) const {
  return Ended(context, NotSupportedYet(socket));
}

Unary* LocalAgentService::Run(Context* context,
                              std::function<absl::Status()> work) const {
  Unary* reactor = context->DefaultReactor();
  if (!deps_.executor->TryRun([reactor, work = std::move(work)] {
        reactor->Finish(ToGrpc(work()));
      })) {
    reactor->Finish(ToGrpc(Busy()));
  }
  return reactor;
}

Unary* LocalAgentService::RunAsAdmin(Context* context,
                                     std::function<absl::Status()> work) const {
  const absl::Status allowed = AdminOnly();
  if (!allowed.ok()) return Ended(context, allowed);
  return Run(context, std::move(work));
}

Unary* LocalAgentService::RecordUsage(Context* context,
                                      const v1::RecordUsageRequest* request,
                                      v1::RecordUsageResponse* response) {
  absl::Status status = MasterOnly();
  if (status.ok()) status = CheckMessage(*request);
  if (status.ok() && request->records_size() > kMaxRecords) {
    status = InvalidField("records", "more than 1000; send them in parts");
  }
  if (!status.ok()) return Ended(context, status);
  Unary* reactor = context->DefaultReactor();
  deps_.outbox->RecordUsage(
      {request->records().begin(), request->records().end()},
      [reactor, response](const absl::StatusOr<RecordUsageResult>& result) {
        if (result.ok()) {
          response->set_recorded(result->recorded);
          response->set_repeated(result->repeated);
        }
        reactor->Finish(ToGrpc(result.status()));
      });
  return reactor;
}

Unary* LocalAgentService::RecordTraffic(Context* context,
                                        const v1::RecordTrafficRequest* request,
                                        v1::RecordTrafficResponse*) {
  absl::Status status = MasterOnly();
  if (status.ok()) status = CheckMessage(*request);
  if (!status.ok()) return Ended(context, status);
  Unary* reactor = context->DefaultReactor();
  deps_.outbox->AddTraffic(
      request->bytes(),
      [reactor](const absl::Status& added) { reactor->Finish(ToGrpc(added)); });
  return reactor;
}

std::vector<std::string> AllEnvironments(
    const v1::DescribeEnvironmentsRequest& described,
    const std::vector<std::string>& others) {
  std::set<std::string> all(described.environment_ids().begin(),
                            described.environment_ids().end());
  all.insert(others.begin(), others.end());
  return {all.begin(), all.end()};
}

Unary* LocalAgentService::DescribeEnvironments(
    Context* context, const v1::DescribeEnvironmentsRequest* request,
    v1::DescribeEnvironmentsResponse*) {
  absl::Status status = MasterOnly();
  if (status.ok()) status = CheckMessage(*request);
  for (int i = 0; status.ok() && i < request->environment_ids_size(); ++i) {
    if (request->environment_ids(i).empty()) {
      status = InvalidField(absl::StrCat("environment_ids[", i, "]"),
                            "an environment needs an ID");
    }
  }
  if (!status.ok()) return Ended(context, status);
  Unary* reactor = context->DefaultReactor();
  // The request lives until the call ends.
  const auto describe = [this, reactor, request] {
    const absl::Status described = deps_.description->SetEnvironments(*request);
    if (!described.ok()) return reactor->Finish(ToGrpc(described));
    deps_.outbox->SetEnvironments(
        AllEnvironments(*request, deps_.other_environments),
        [reactor](const absl::Status& set) { reactor->Finish(ToGrpc(set)); });
  };
  if (!deps_.executor->TryRun(describe)) reactor->Finish(ToGrpc(Busy()));
  return reactor;
}

Unary* LocalAgentService::DescribeNode(Context* context,
                                       const v1::DescribeNodeRequest* request,
                                       v1::DescribeNodeResponse*) {
  const absl::Status status = CheckMessage(*request);
  if (!status.ok()) return Ended(context, status);
  return Run(context, [this, request] {
    absl::Status set = deps_.description->SetNode(*request);
    if (set.ok()) deps_.on_described();
    return set;
  });
}

Unary* LocalAgentService::DescribeActiveGates(
    Context* context, const v1::DescribeActiveGatesRequest* request,
    v1::DescribeActiveGatesResponse*) {
  absl::Status status = CheckMessage(*request);
  for (int i = 0; status.ok() && i < request->active_gates_size(); ++i) {
    if (request->active_gates(i).active_gate_id().empty()) {
      status =
          InvalidField(absl::StrCat("active_gates[", i, "].active_gate_id"),
                       "an ActiveGate needs an ID");
    }
  }
  if (!status.ok()) return Ended(context, status);
  return Run(context, [this, request] {
    absl::Status set = deps_.description->SetActiveGates(*request);
    if (set.ok() && deps_.outbox == nullptr) deps_.on_described();
    return set;
  });
}

Unary* LocalAgentService::GetStatus(Context* context,
                                    const v1::GetStatusRequest*,
                                    v1::GetStatusResponse* response) {
  return RunAsAdmin(context, [this, response] {
    *response = deps_.status();
    if (deps_.outbox == nullptr) return absl::OkStatus();
    const absl::StatusOr<OutboxStats> stats = deps_.outbox->reader().Stats();
    if (!stats.ok()) return stats.status();
    response->set_open_usage_records(stats->open_usage_records);
    response->set_waiting_reports(stats->waiting_reports);
    return absl::OkStatus();
  });
}

Unary* LocalAgentService::GetLicenseState(
    Context* context, const v1::GetLicenseStateRequest*,
    v1::GetLicenseStateResponse* response) {
  if (deps_.license == nullptr) return NotYet(context, LocalSocket::kProduct);
  *response = deps_.license->Get();
  return Ended(context, absl::OkStatus());
}

Unary* LocalAgentService::ListSentMessages(Context* context,
                                           const v1::ListSentMessagesRequest*,
                                           v1::ListSentMessagesResponse*) {
  return NotYet(context, LocalSocket::kAdmin);
}

Unary* LocalAgentService::SetPrivacySettings(
    Context* context, const v1::SetPrivacySettingsRequest*,
    v1::SetPrivacySettingsResponse*) {
  return NotYet(context, LocalSocket::kAdmin);
}

Unary* LocalAgentService::SetUpdateWindow(Context* context,
                                          const v1::SetUpdateWindowRequest*,
                                          v1::SetUpdateWindowResponse*) {
  return NotYet(context, LocalSocket::kAdmin);
}

Unary* LocalAgentService::StartUpdate(Context* context,
                                      const v1::StartUpdateRequest*,
                                      v1::StartUpdateResponse*) {
  return NotYet(context, LocalSocket::kAdmin);
}

Unary* LocalAgentService::ListRemoteAccessRequests(
    Context* context, const v1::ListRemoteAccessRequestsRequest*,
    v1::ListRemoteAccessRequestsResponse*) {
  return NotYet(context, LocalSocket::kAdmin);
}

Unary* LocalAgentService::DecideRemoteAccess(
    Context* context, const v1::DecideRemoteAccessRequest*,
    v1::DecideRemoteAccessResponse*) {
  return NotYet(context, LocalSocket::kAdmin);
}

grpc::ServerWriteReactor<v1::WatchLicenseStateResponse>*
LocalAgentService::WatchLicenseState(Context*,
                                     const v1::WatchLicenseStateRequest*) {
  using Refused = RefusedStream<v1::WatchLicenseStateResponse>;
  if (deps_.license == nullptr) {
    return new Refused(NotSupportedYet(LocalSocket::kProduct));
  }
  const absl::StatusOr<LicenseWatch::Reactor*> stream = deps_.license->Open();
  return stream.ok() ? *stream : new Refused(stream.status());
}

grpc::ServerWriteReactor<v1::WatchSettingsResponse>*
LocalAgentService::WatchSettings(Context*, const v1::WatchSettingsRequest*) {
  return new RefusedStream<v1::WatchSettingsResponse>(
      NotSupportedYet(LocalSocket::kProduct));
}

}  // namespace mc::agent

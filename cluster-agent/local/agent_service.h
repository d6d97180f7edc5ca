// AgentService: what the product and the site's administrator call.
#ifndef MC_CLUSTER_AGENT_LOCAL_AGENT_SERVICE_H_
#define MC_CLUSTER_AGENT_LOCAL_AGENT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster-agent/domain/description/description.h"
#include "cluster-agent/domain/site/node_registry.h"
#include "cluster-agent/local/license_watch.h"
#include "cluster-agent/outbox/outbox.h"
#include "common/executor/executor.h"
#include "common/time/clock.h"
#include "missioncontrol/v1/agent_service.grpc.pb.h"

namespace mc::agent {

// What the handlers need; everything outlives the servers.
struct LocalDeps {
  // Null on a node of a site, which serves what its master does not: node and
  // ActiveGates are described, and the status is told.
  Outbox* outbox = nullptr;
  Description* description = nullptr;
  Executor* executor = nullptr;
  const Clock* clock = nullptr;
  // Environments that are known beside what the product describes.
  std::vector<std::string> other_environments;
  // All of GetStatus but what the outbox knows. May block.
  std::function<missioncontrol::v1::GetStatusResponse()> status;
  // After the product has described its node, or on a node its ActiveGates.
  std::function<void()> on_described;
  // After the product has told events.
  std::function<void()> on_events = nullptr;
  // The other nodes of the site; null: this master serves none.
  NodeRegistry* nodes = nullptr;
  // The master's own line in the list of nodes; null: this is not the master.
  std::function<missioncontrol::v1::NodeEntry()> own_node = nullptr;
  // Null where there is no license to tell of.
  LicenseWatch* license = nullptr;
};

// Which socket a call came on; the policy goes by it.
enum class LocalSocket { kProduct, kAdmin };

// One for each socket. Nothing blocks in a reaction.
class LocalAgentService
    : public missioncontrol::v1::AgentService::CallbackService {
 public:
  LocalAgentService(const LocalDeps& deps, LocalSocket socket)
      : deps_(deps), socket_(socket) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* RecordUsage(
      Context* context, const missioncontrol::v1::RecordUsageRequest* request,
      missioncontrol::v1::RecordUsageResponse* response) override;
  Unary* RecordTraffic(
      Context* context, const missioncontrol::v1::RecordTrafficRequest* request,
      missioncontrol::v1::RecordTrafficResponse* response) override;
  Unary* DescribeEnvironments(
      Context* context,
      const missioncontrol::v1::DescribeEnvironmentsRequest* request,
      missioncontrol::v1::DescribeEnvironmentsResponse* response) override;
  Unary* DescribeNode(
      Context* context, const missioncontrol::v1::DescribeNodeRequest* request,
      missioncontrol::v1::DescribeNodeResponse* response) override;
  Unary* DescribeActiveGates(
      Context* context,
      const missioncontrol::v1::DescribeActiveGatesRequest* request,
      missioncontrol::v1::DescribeActiveGatesResponse* response) override;
  Unary* GetStatus(Context* context,
                   const missioncontrol::v1::GetStatusRequest* request,
                   missioncontrol::v1::GetStatusResponse* response) override;
  Unary* ListOutbox(Context* context,
                    const missioncontrol::v1::ListOutboxRequest* request,
                    missioncontrol::v1::ListOutboxResponse* response) override;
  Unary* GetOutboxReport(
      Context* context,
      const missioncontrol::v1::GetOutboxReportRequest* request,
      missioncontrol::v1::GetOutboxReportResponse* response) override;
  Unary* ListReceipts(
      Context* context, const missioncontrol::v1::ListReceiptsRequest* request,
      missioncontrol::v1::ListReceiptsResponse* response) override;
  Unary* CreateJoinToken(
      Context* context,
      const missioncontrol::v1::CreateJoinTokenRequest* request,
      missioncontrol::v1::CreateJoinTokenResponse* response) override;
  Unary* ListNodes(Context* context,
                   const missioncontrol::v1::ListNodesRequest* request,
                   missioncontrol::v1::ListNodesResponse* response) override;
  Unary* RemoveNode(Context* context,
                    const missioncontrol::v1::RemoveNodeRequest* request,
                    missioncontrol::v1::RemoveNodeResponse* response) override;

  Unary* RecordEvents(
      Context* context, const missioncontrol::v1::RecordEventsRequest* request,
      missioncontrol::v1::RecordEventsResponse* response) override;
  Unary* ListRecordedEvents(
      Context* context,
      const missioncontrol::v1::ListRecordedEventsRequest* request,
      missioncontrol::v1::ListRecordedEventsResponse* response) override;

  // UNIMPLEMENTED: NOT_SUPPORTED_YET.
  Unary* GetLicenseState(
      Context* context,
      const missioncontrol::v1::GetLicenseStateRequest* /*request*/,
      missioncontrol::v1::GetLicenseStateResponse* /*response*/) override;
  Unary* ListSentMessages(
      Context* context,
      const missioncontrol::v1::ListSentMessagesRequest* /*request*/,
      missioncontrol::v1::ListSentMessagesResponse* /*response*/) override;
  Unary* SetPrivacySettings(
      Context* context,
      const missioncontrol::v1::SetPrivacySettingsRequest* /*request*/,
      missioncontrol::v1::SetPrivacySettingsResponse* /*response*/) override;
  Unary* SetUpdateWindow(
      Context* context,
      const missioncontrol::v1::SetUpdateWindowRequest* /*request*/,
      missioncontrol::v1::SetUpdateWindowResponse* /*response*/) override;
  Unary* StartUpdate(
      Context* context,
      const missioncontrol::v1::StartUpdateRequest* /*request*/,
      missioncontrol::v1::StartUpdateResponse* /*response*/) override;
  Unary* ListRemoteAccessRequests(
      Context* context,
      const missioncontrol::v1::ListRemoteAccessRequestsRequest* /*request*/,
      missioncontrol::v1::ListRemoteAccessRequestsResponse* /*response*/)
      override;
  Unary* DecideRemoteAccess(
      Context* context,
      const missioncontrol::v1::DecideRemoteAccessRequest* /*request*/,
      missioncontrol::v1::DecideRemoteAccessResponse* /*response*/) override;
  grpc::ServerWriteReactor<missioncontrol::v1::WatchLicenseStateResponse>*
  WatchLicenseState(
      Context* context,
      const missioncontrol::v1::WatchLicenseStateRequest* request) override;
  grpc::ServerWriteReactor<missioncontrol::v1::WatchSettingsResponse>*
  WatchSettings(
      Context* context,
      const missioncontrol::v1::WatchSettingsRequest* request) override;

 private:
  // OK on the administrator's socket; else PERMISSION_DENIED.
  absl::Status AdminOnly() const;
  // OK on the site's master; else FAILED_PRECONDITION (NOT_MASTER).
  absl::Status MasterOnly() const;
  // Runs `work` on the executor and ends the call with what it returns.
  // The method's socket; the administrator may use both.
  absl::Status NotSupportedYet(LocalSocket socket) const;
  Unary* Run(Context* context, std::function<absl::Status()> work) const;
  Unary* RunAsAdmin(Context* context, std::function<absl::Status()> work) const;
  Unary* NotYet(Context* context, LocalSocket socket) const;

  const LocalDeps deps_;
  const LocalSocket socket_;
};

// What the product described, and those beside; each once.
std::vector<std::string> AllEnvironments(
    const missioncontrol::v1::DescribeEnvironmentsRequest& described,
    const std::vector<std::string>& others);

// The outbox as the contract has it.
missioncontrol::v1::OutboxEntry ToProto(const ListedReport& report);
missioncontrol::v1::ListOutboxResponse ToProto(const ListedReports& listed);
// DATA_LOSS where the bytes do not parse.
absl::StatusOr<missioncontrol::v1::GetOutboxReportResponse> ToProto(
    const FoundReport& found);
missioncontrol::v1::ListRecordedEventsResponse ToProto(ListedEvents listed);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_LOCAL_AGENT_SERVICE_H_

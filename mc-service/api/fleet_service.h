// FleetService: what operators may ask and change.
//
// Each handler is guard (by CallRunner), convert, one call of the domain or
// the store, convert, finish. They are spread over files by subject:
// fleet_accounts.cc, fleet_identity.cc, fleet_clusters.cc, fleet_erase.cc,
// fleet_usage.cc, fleet_events.cc, fleet_findings.cc, fleet_releases.cc,
// fleet_exchanges.cc.
#ifndef MC_SERVICE_API_FLEET_SERVICE_H_
#define MC_SERVICE_API_FLEET_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string_view>

#include "absl/time/time.h"
#include "mc-service/api/call.h"
#include "mc-service/store/store.h"
#include "missioncontrol/v1/fleet_service.grpc.pb.h"

namespace mc {
class Clock;
class Executor;
class RpcMetrics;
}  // namespace mc

namespace mc::service {

class ExchangeLog;
class Guard;
class OperatorDesk;
class ReleaseDesk;
class StreamRegistry;

class FleetService : public v1::FleetService::CallbackService {
 public:
  struct Options {
    CallRunner* calls = nullptr;
    Store* store = nullptr;
    const Clock* clock = nullptr;
    const ReleaseDesk* releases = nullptr;
    const OperatorDesk* operators = nullptr;
    ExchangeLog* exchanges = nullptr;
    StreamRegistry* streams = nullptr;
    const Guard* guard = nullptr;
    Executor* executor = nullptr;
    RpcMetrics* metrics = nullptr;
    // A cluster is online while its last beat is younger than this.
    absl::Duration presence_window = absl::Minutes(15);
    // Told when a cluster's row has changed, so that caches forget it and, for
    // a revoked one, its streams end.
    std::function<void(std::string_view cluster_id)> cluster_changed;
    // Told when an operator says that there are no two agents of a cluster.
    std::function<void(std::string_view cluster_id)> suspicion_ended;
    // Whether reports of the cluster are known to be missing whose usage lies
    // in [from, to). Null: none ever are.
    std::function<absl::StatusOr<bool>(Reader& reader,
                                       std::string_view cluster_id,
                                       absl::Time from, absl::Time to)>
        has_gap;
  };

  explicit FleetService(Options options) : options_(std::move(options)) {}

#define MC_RPC(Name)                                                   \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, \
                                 const v1::Name##Request* request,     \
                                 v1::Name##Response* response) override;
  MC_RPC(CreateAccount)
  MC_RPC(ListAccounts)
  MC_RPC(GetAccount)
  MC_RPC(EraseAccount)
  MC_RPC(CreateLicense)
  MC_RPC(ListLicenses)
  MC_RPC(GetLicense)
  MC_RPC(UpdateLicense)
  MC_RPC(SuspendLicense)
  MC_RPC(ResumeLicense)
  MC_RPC(RevokeLicense)
  MC_RPC(CreateEnrollmentToken)
  MC_RPC(ListEnrollmentTokens)
  MC_RPC(DeleteEnrollmentToken)
  MC_RPC(CreateOperator)
  MC_RPC(ListOperators)
  MC_RPC(UpdateOperator)
  MC_RPC(DeleteOperator)
  MC_RPC(IssueOperatorCertificate)
  MC_RPC(ListClusters)
  MC_RPC(GetCluster)
  MC_RPC(ReopenRegistration)
  MC_RPC(ApproveRegistration)
  MC_RPC(AdoptCluster)
  MC_RPC(RevokeCluster)
  MC_RPC(ListHealthReports)
  MC_RPC(ListConsumption)
  MC_RPC(ListUsage)
  MC_RPC(ListLedgerEntries)
  MC_RPC(VerifyLedger)
  MC_RPC(ListExchangeCounts)
  MC_RPC(ListFindings)
  MC_RPC(ListEvents)
  MC_RPC(CreateRelease)
  MC_RPC(GetRelease)
  MC_RPC(ListReleases)
#undef MC_RPC

  grpc::ServerWriteReactor<v1::WatchExchangesResponse>* WatchExchanges(
      grpc::CallbackServerContext* context,
      const v1::WatchExchangesRequest* request) override;

  // In the contract, and not built yet: UNIMPLEMENTED (NOT_SUPPORTED_YET).
#define MC_NOT_YET(Name)                                                      \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context,        \
                                 const v1::Name##Request* /*request*/,        \
                                 v1::Name##Response* /*response*/) override { \
    return options_.calls->Unimplemented(                                     \
        context, "/missioncontrol.v1.FleetService/" #Name);                   \
  }
  MC_NOT_YET(CreateRollout)
  MC_NOT_YET(ListRollouts)
  MC_NOT_YET(RequestRemoteAccess)
  MC_NOT_YET(ListRemoteAccessSessions)
  MC_NOT_YET(EndRemoteAccess)
  MC_NOT_YET(GetSettings)
  MC_NOT_YET(ChangeSettings)
  MC_NOT_YET(RequestDiagnostics)
  MC_NOT_YET(ListAuditEntries)
#undef MC_NOT_YET

 private:
  // Puts a license into a state and answers with the license.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* ChangeState(grpc::CallbackServerContext* context,
                                        std::string_view full_method,
                                        v1::LicenseState state,
                                        const Request* request,
                                        Response* response);
  // The same for a cluster; `change` is the domain's.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* ChangeCluster(
      grpc::CallbackServerContext* context, std::string_view full_method,
      std::function<absl::Status(Store& store, std::string_view cluster_id)>
          change,
      const Request* request, Response* response);

  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_FLEET_SERVICE_H_

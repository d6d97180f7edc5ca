#include "common/log/log.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/fleet/erase.h"
#include "mc-service/domain/fleet/licensing.h"

namespace mc::service {

grpc::ServerUnaryReactor* FleetService::EraseAccount(
    grpc::CallbackServerContext* context,
    const v1::EraseAccountRequest* request,
    v1::EraseAccountResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/EraseAccount",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller& caller, std::string*) -> absl::Status {
        EraseOptions options;
        options.store = options_.store;
        options.cluster_changed = options_.cluster_changed;
        const auto erased = service::EraseAccount(
            options, request->account_id(), request->confirm_name());
        if (!erased.ok()) {
          return ExplainMissing(erased.status(),
                                "account " + request->account_id());
        }
        // By its ID alone: the log is not erased.
        LogInfo("account erased", {{"operator", caller.id},
                                   {"account_id", request->account_id()},
                                   {"clusters", erased->clusters},
                                   {"reports", erased->reports}});
        response->set_licenses(erased->licenses);
        response->set_clusters(erased->clusters);
        response->set_reports(erased->reports);
        response->set_ledger_entries(erased->ledger_entries);
        return absl::OkStatus();
      });
}

}  // namespace mc::service

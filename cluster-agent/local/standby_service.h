// What an agent answers that waits to become the master.
#ifndef MC_CLUSTER_AGENT_LOCAL_STANDBY_SERVICE_H_
#define MC_CLUSTER_AGENT_LOCAL_STANDBY_SERVICE_H_

#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <utility>

#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// In place of AgentService on admin.sock: the status, and to every other call
// FAILED_PRECONDITION (NOT_MASTER). It needs no state.
class StandbyService : public grpc::CallbackGenericService {
 public:
  // It must not block.
  using Status = std::function<missioncontrol::v1::GetStatusResponse()>;
  explicit StandbyService(Status status) : status_(std::move(status)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  const Status status_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_LOCAL_STANDBY_SERVICE_H_

// Calls to the agent that runs on this machine.
#ifndef MC_CLUSTER_AGENT_CLI_SITE_CLIENT_H_
#define MC_CLUSTER_AGENT_CLI_SITE_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "missioncontrol/v1/agent_service.grpc.pb.h"

namespace mc::agent {

class SiteClient {
 public:
  // agent.sock or admin.sock.
  explicit SiteClient(const std::string& socket);

  // Waits for the answer. UNAVAILABLE: no agent answers there; the error says
  // what to do.
  template <typename Request, typename Response>
  absl::Status Call(
      grpc::Status (missioncontrol::v1::AgentService::Stub::*method)(
          grpc::ClientContext*, const Request&, Response*),
      const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    return Explained(((*stub_).*method)(&context, request, response));
  }

 private:
  static void SetDeadline(grpc::ClientContext& context);
  absl::Status Explained(const grpc::Status& status) const;

  const std::string socket_;
  const std::unique_ptr<missioncontrol::v1::AgentService::Stub> stub_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_SITE_CLIENT_H_

// Calls to the agent that runs on this machine.
#ifndef MC_CLUSTER_AGENT_CLI_SITE_CLIENT_H_
#define MC_CLUSTER_AGENT_CLI_SITE_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
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

  // Hands over each message of a stream as it comes, until it ends or `each`
  // returns false (OK). The errors of Call.
  template <typename Response, typename Request>
  absl::Status Read(std::unique_ptr<grpc::ClientReader<Response>> (
                        missioncontrol::v1::AgentService::Stub::*method)(
                        grpc::ClientContext*, const Request&),
                    const Request& request,
                    const std::function<bool(const Response&)>& each) {
    grpc::ClientContext context;
    const auto stream = ((*stub_).*method)(&context, request);
    Response response;
    while (stream->Read(&response)) {
      if (each(response)) continue;
      context.TryCancel();
      stream->Finish();
      return absl::OkStatus();
    }
    return Explained(stream->Finish());
  }

 private:
  static void SetDeadline(grpc::ClientContext& context);
  absl::Status Explained(const grpc::Status& status) const;

  const std::string socket_;
  const std::unique_ptr<missioncontrol::v1::AgentService::Stub> stub_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_CLI_SITE_CLIENT_H_

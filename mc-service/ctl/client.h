// mcctl's connection to the service, and what all of its commands share.
#ifndef MC_SERVICE_CTL_CLIENT_H_
#define MC_SERVICE_CTL_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "missioncontrol/config/v1/ctl.pb.h"
#include "missioncontrol/v1/fleet_service.grpc.pb.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

using FleetStub = v1::FleetService::Stub;

// Not thread-safe.
class Client {
 public:
  struct Options {
    std::string config_file;
    absl::Duration timeout = absl::Seconds(10);
    // Results as JSON, for programs.
    bool json = false;
    // Results as CSV (RFC 4180); only listings that say so know it.
    bool csv = false;
  };

  // Where mcctl looks for its configuration: $MCCTL_CONFIG, else
  // ~/.config/mcctl/mcctl.yaml.
  static std::string DefaultConfigFile();

  explicit Client(Options options) : options_(std::move(options)) {}

  Options& options() { return options_; }

  // The configuration, with its paths resolved; it is read at the first use.
  // INVALID_ARGUMENT names the file and what to do.
  absl::StatusOr<const missioncontrol::config::v1::CtlConfig*> Config();

  // INVALID_ARGUMENT, FAILED_PRECONDITION or NOT_FOUND name the file and what
  // to do.
  absl::StatusOr<FleetStub*> Fleet();

  // One unary call with its deadline, for instance
  //   client.Call(&FleetStub::GetAccount, request, &response)
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (FleetStub::*method)(grpc::ClientContext*,
                                                      const Request&,
                                                      Response*),
                    const Request& request, Response* response) {
    const auto stub = Fleet();
    if (!stub.ok()) return stub.status();
    grpc::ClientContext context;
    SetDeadline(context);
    return Explain(((*stub)->*method)(&context, request, response));
  }

  // The status of a call, with a hint where gRPC says too little.
  absl::Status Explain(const grpc::Status& status) const;

  // Prints the response as JSON, or what `table` makes of it. INVALID_ARGUMENT
  // where CSV was asked for.
  absl::Status Print(const google::protobuf::Message& response,
                     const std::function<std::string()>& table) const;

 private:
  void SetDeadline(grpc::ClientContext& context) const;

  Options options_;
  std::optional<missioncontrol::config::v1::CtlConfig> config_;
  std::string address_;
  std::unique_ptr<FleetStub> stub_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_CTL_CLIENT_H_

// EnrollmentService as strangers meet it: checks, limits, hands over.
#ifndef MC_SERVICE_ENROLL_FRONT_SERVICE_H_
#define MC_SERVICE_ENROLL_FRONT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "missioncontrol/v1/enrollment_service.grpc.pb.h"

namespace mc {
class Clock;
class RpcMetrics;
}  // namespace mc

namespace mc::service {

class EnrollmentLimits;
class RetrySlots;

// Nothing blocks: a call waits for the service's answer without a thread.
class FrontService final
    : public missioncontrol::v1::EnrollmentService::CallbackService {
 public:
  struct Options {
    // To the service.
    std::shared_ptr<grpc::Channel> channel;
    EnrollmentLimits* limits = nullptr;
    RpcMetrics* metrics = nullptr;
    // Spreads those who come while the service is away.
    RetrySlots* retry_slots = nullptr;
    const Clock* clock = nullptr;
    // Where the client really is whom gRPC names; null: where gRPC says.
    std::function<std::string(std::string_view peer)> real_peer;
    // Calls that may wait for the service; more are refused with OVERLOADED.
    int max_open_calls = 1000;
    // How long the service may take, where the client's deadline is later.
    absl::Duration patience = absl::Seconds(30);
  };

  explicit FrontService(const Options& options);

  grpc::ServerUnaryReactor* Install(
      grpc::CallbackServerContext* context,
      const missioncontrol::v1::InstallRequest* request,
      missioncontrol::v1::InstallResponse* response) override;
  grpc::ServerUnaryReactor* Register(
      grpc::CallbackServerContext* context,
      const missioncontrol::v1::RegisterRequest* request,
      missioncontrol::v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* RecoverCertificate(
      grpc::CallbackServerContext* context,
      const missioncontrol::v1::RecoverCertificateRequest* request,
      missioncontrol::v1::RecoverCertificateResponse* response) override;

 private:
  using Stub = missioncontrol::v1::EnrollmentService::StubInterface;
  using AsyncStub = Stub::async_interface;
  template <typename Request, typename Response>
  using Method = void (AsyncStub::*)(grpc::ClientContext*, const Request*,
                                     Response*,
                                     std::function<void(grpc::Status)>);
  class Call;

  // `full_method` is a literal.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* HandOver(grpc::CallbackServerContext* context,
                                     std::string_view full_method,
                                     const Request* request, Response* response,
                                     Method<Request, Response> method);
  // Why a call is not handed over, or OK.
  absl::Status Admit(std::string_view address,
                     const google::protobuf::Message& request);
  absl::Status Overloaded(std::string_view message) const;
  // What the client is told of the service's answer.
  grpc::Status Answer(grpc::Status answer,
                      const grpc::CallbackServerContext& context) const;

  const Options options_;
  const std::unique_ptr<Stub> stub_;
  std::atomic<int> open_calls_{0};
};

}  // namespace mc::service

#endif  // MC_SERVICE_ENROLL_FRONT_SERVICE_H_

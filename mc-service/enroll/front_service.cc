#include "mc-service/enroll/front_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/metrics/metrics.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/wire/check.h"
#include "mc-service/domain/pacing/retry_slots.h"
#include "mc-service/enroll/client_address.h"
#include "mc-service/enroll/enrollment_limits.h"

namespace mc::service {

namespace v1 = missioncontrol::v1;

// One call. gRPC owns it until OnDone, which comes only after Finish: that is
// the last thing that the service's answer does.
class FrontService::Call : public grpc::ServerUnaryReactor {
 public:
  Call(FrontService* front, std::string_view full_method)
      : front_(front),
        full_method_(full_method),
        start_(front->options_.clock->Now()) {}

  grpc::ClientContext& to_service() { return to_service_; }

  void End(const grpc::Status& status) {
    const FrontService::Options& options = front_->options_;
    options.metrics->Observe(full_method_,
                             static_cast<absl::StatusCode>(status.error_code()),
                             options.clock->Now() - start_);
    Finish(status);
  }

  void OnCancel() override { to_service_.TryCancel(); }
  void OnDone() override { delete this; }

 private:
  FrontService* const front_;
  const std::string_view full_method_;
  const absl::Time start_;
  grpc::ClientContext to_service_;
};

FrontService::FrontService(const Options& options)
    : options_(options),
      stub_(v1::EnrollmentService::NewStub(options.channel)) {}

absl::Status FrontService::Admit(std::string_view address,
                                 const google::protobuf::Message& request) {
  if (absl::Status status = options_.limits->TakeAddress(address);
      !status.ok()) {
    return status;
  }
  return CheckMessage(request);
}

absl::Status FrontService::Overloaded(std::string_view message) const {
  return WithRetryDelay(Error(absl::StatusCode::kUnavailable,
                              v1::ERROR_REASON_OVERLOADED, message),
                        options_.retry_slots->Take(options_.clock->Now()));
}

grpc::Status FrontService::Answer(
    grpc::Status answer, const grpc::CallbackServerContext& context) const {
  // What the service said has details; the rest is of the way to it.
  if (answer.ok() || !answer.error_details().empty()) return answer;
  const bool late =
      answer.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      absl::FromChrono(context.deadline()) > options_.clock->Now();
  if (answer.error_code() == grpc::StatusCode::UNAVAILABLE || late) {
    return ToGrpc(Overloaded(
        "The service does not answer at the moment; try again later."));
  }
  return answer;
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* FrontService::HandOver(
    grpc::CallbackServerContext* context, std::string_view full_method,
    const Request* request, Response* response,
    Method<Request, Response> method) {
  auto* call = new Call(this, full_method);
  const std::string peer = context->peer();
  const std::string address =
      AddressOf(options_.real_peer ? options_.real_peer(peer) : peer);
  if (const absl::Status status = Admit(address, *request); !status.ok()) {
    call->End(ToGrpc(status));
    return call;
  }
  if (++open_calls_ > options_.max_open_calls) {
    --open_calls_;
    call->End(ToGrpc(Overloaded(
        "The service has more calls than it can take; try again later.")));
    return call;
  }
  grpc::ClientContext& to_service = call->to_service();
  to_service.AddMetadata(kClientAddressKey, address);
  to_service.set_deadline(
      std::min(context->deadline(),
               absl::ToChronoTime(options_.clock->Now() + options_.patience)));
  (stub_->async()->*method)(&to_service, request, response,
                            [this, call, context](grpc::Status answer) {
                              --open_calls_;
                              call->End(Answer(std::move(answer), *context));
                            });
  return call;
}

grpc::ServerUnaryReactor* FrontService::Install(
    grpc::CallbackServerContext* context, const v1::InstallRequest* request,
    v1::InstallResponse* response) {
  return HandOver(context, "/missioncontrol.v1.EnrollmentService/Install",
                  request, response,
                  static_cast<Method<v1::InstallRequest, v1::InstallResponse>>(
                      &AsyncStub::Install));
}

grpc::ServerUnaryReactor* FrontService::Register(
    grpc::CallbackServerContext* context, const v1::RegisterRequest* request,
    v1::RegisterResponse* response) {
  return HandOver(
      context, "/missioncontrol.v1.EnrollmentService/Register", request,
      response,
      static_cast<Method<v1::RegisterRequest, v1::RegisterResponse>>(
          &AsyncStub::Register));
}

grpc::ServerUnaryReactor* FrontService::RecoverCertificate(
    grpc::CallbackServerContext* context,
    const v1::RecoverCertificateRequest* request,
    v1::RecoverCertificateResponse* response) {
  return HandOver(context,
                  "/missioncontrol.v1.EnrollmentService/RecoverCertificate",
                  request, response,
                  static_cast<Method<v1::RecoverCertificateRequest,
                                     v1::RecoverCertificateResponse>>(
                      &AsyncStub::RecoverCertificate));
}

}  // namespace mc::service

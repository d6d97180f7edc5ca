#include "mc-service/edge/date.h"

#include "common/time/http_date.h"

namespace mc::service {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

class DateInterceptor : public grpc::experimental::Interceptor {
 public:
  explicit DateInterceptor(const Clock* clock) : clock_(clock) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("date",
                                                 HttpDate(clock_->Now()));
    }
    methods->Proceed();
  }

 private:
  const Clock* const clock_;
};

class Factory : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(const Clock* clock) : clock_(clock) {}

  // Streams pay for an interceptor with every message.
  grpc::experimental::Interceptor* CreateServerInterceptor(
      ServerRpcInfo* info) override {
    return info->type() == ServerRpcInfo::Type::UNARY
               ? new DateInterceptor(clock_)
               : nullptr;
  }

 private:
  const Clock* const clock_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeDateInterceptor(const Clock* clock) {
  return std::make_unique<Factory>(clock);
}

}  // namespace mc::service

#include "mc-service/api/call.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/executor/executor.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/tls/identity_cache.h"
#include "common/wire/check.h"
#include "mc-service/domain/exchanges/exchange_log.h"
#include "mc-service/domain/pacing/retry_slots.h"
#include "mc-service/edge/call_limit.h"

namespace mc::service {
namespace {

// gRPC owns it until OnDone, which comes only after Finish.
class Call : public grpc::ServerUnaryReactor {
 public:
  void OnDone() override { delete this; }
};

void LogFault(std::string_view full_method, const absl::Status& status) {
  LogError("a call failed by a fault of the service",
           {{"method", full_method}, {"error", status.ToString()}});
}

absl::Status StoreUnavailable() {
  return Error(absl::StatusCode::kUnavailable,
               v1::ERROR_REASON_STORE_UNAVAILABLE,
               "The service's store does not answer; try again later.");
}

}  // namespace

absl::Status PublicStatus(std::string_view full_method, absl::Status status) {
  const bool has_reason = ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED;
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
      return status;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      break;
    case absl::StatusCode::kDataLoss:
      LogFault(full_method, status);
      return StoreUnavailable();
    case absl::StatusCode::kUnavailable:
      if (has_reason) return status;
      LogFault(full_method, status);
      return StoreUnavailable();
    default:
      if (has_reason) return status;
      break;
  }
  LogFault(full_method, status);
  return Error(absl::StatusCode::kInternal, v1::ERROR_REASON_INTERNAL_FAULT,
               "A fault of the service; its log has the details.");
}

absl::Status CheckLimit(CallLimit* limit, const grpc::AuthContext& auth,
                        std::string_view peer, std::string_view full_method) {
  const MethodPolicy* policy = FindPolicy(full_method);
  if (limit == nullptr || policy == nullptr || policy->cost == 0) {
    return absl::OkStatus();
  }
  const auto identity = limit->identities()->Of(auth);
  if (!identity.ok() || (*identity)->kind != "cluster") {
    return absl::OkStatus();
  }
  return limit->Take((*identity)->id, peer, full_method);
}

bool MayBegin(CallLimit* limit, const grpc::AuthContext& auth) {
  const auto identity = limit->identities()->Of(auth);
  return !identity.ok() || limit->Begins((*identity)->id);
}

absl::Status CallRunner::NotSupportedYet(std::string_view full_method) {
  const size_t slash = full_method.rfind('/');
  const std::string_view name = full_method.substr(slash + 1);
  return Error(absl::StatusCode::kUnimplemented,
               v1::ERROR_REASON_NOT_SUPPORTED_YET,
               absl::StrCat(absl::string_view(name.data(), name.size()),
                            " is part of the contract, but this version of the "
                            "service does not offer it yet."));
}

grpc::ServerUnaryReactor* CallRunner::Unimplemented(
    grpc::CallbackServerContext* context, std::string_view full_method) {
  return Start(context, full_method, v1::EXCHANGE_UNSPECIFIED, nullptr,
               [full_method](const Caller&, std::string*) {
                 return NotSupportedYet(full_method);
               });
}

grpc::ServerUnaryReactor* CallRunner::Start(
    grpc::CallbackServerContext* context, std::string_view full_method,
    v1::Exchange exchange, const google::protobuf::Message* request,
    Work work) {
  auto* call = new Call;
  const absl::Time start = options_.clock->Now();
  absl::Status status = CheckLimit(options_.limit, *context->auth_context(),
                                   context->peer(), full_method);
  if (status.ok() && options_.may_wait != nullptr) {
    status = options_.may_wait(context->peer());
  }
  if (!status.ok()) {
    options_.metrics->Observe(full_method, status.code(),
                              options_.clock->Now() - start);
    call->Finish(ToGrpc(status));
    return call;
  }
  auto run = [=, this, work = std::move(work)] {
    Caller caller;
    std::string summary;
    absl::Status status;
    if (context->IsCancelled()) {
      status = absl::CancelledError("The client cancelled the call.");
      Finish(full_method, v1::EXCHANGE_UNSPECIFIED, start, caller, "", status);
    } else {
      status = Run(*context, full_method, request, work, caller, summary);
      Finish(full_method, exchange, start, caller, std::move(summary), status);
    }
    call->Finish(ToGrpc(status));
  };
  if (!options_.executor->TryRun(std::move(run))) {
    status = WithRetryDelay(
        Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
              "The service has more calls than it can take; try again later."),
        options_.overload_slots == nullptr
            ? options_.overload_retry_delay
            : options_.overload_slots->Take(options_.clock->Now()));
    options_.metrics->Observe(full_method, status.code(),
                              options_.clock->Now() - start);
    call->Finish(ToGrpc(status));
  }
  return call;
}

absl::Status CallRunner::Run(const grpc::CallbackServerContext& context,
                             std::string_view full_method,
                             const google::protobuf::Message* request,
                             const Work& work, Caller& caller,
                             std::string& summary) const {
  absl::StatusOr<Caller> checked = options_.guard->Check(context, full_method);
  if (!checked.ok()) return PublicStatus(full_method, checked.status());
  caller = *std::move(checked);
  if (request != nullptr) {
    if (absl::Status status = CheckMessage(*request); !status.ok()) {
      return status;
    }
  }
  if (options_.admit != nullptr) {
    if (absl::Status status = options_.admit(context, caller, request);
        !status.ok()) {
      return status;
    }
  }
  absl::Status status = PublicStatus(full_method, work(caller, &summary));
  if (options_.ended != nullptr) {
    options_.ended(context, caller, full_method, status);
  }
  return status;
}

void CallRunner::Finish(std::string_view full_method, v1::Exchange exchange,
                        absl::Time start, const Caller& caller,
                        std::string summary, const absl::Status& status) const {
  const absl::Time now = options_.clock->Now();
  options_.metrics->Observe(full_method, status.code(), now - start);
  if (exchange == v1::EXCHANGE_UNSPECIFIED) return;
  options_.exchanges->Record({
      .at = now,
      .exchange = exchange,
      .cluster_id =
          caller.kind == Caller::Kind::kCluster ? caller.id : std::string(),
      .status = status,
      .summary = std::move(summary),
  });
}

}  // namespace mc::service

// Runs unary calls: what every handler does before and after its own work.
#ifndef MC_SERVICE_API_CALL_H_
#define MC_SERVICE_API_CALL_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mc-service/edge/guard.h"
#include "mc-service/edge/policy.h"
#include "missioncontrol/v1/fleet_exchanges.pb.h"

namespace mc {
class Clock;
class Executor;
class RpcMetrics;
}  // namespace mc

namespace mc::service {

class CallLimit;
class ExchangeLog;
class RetrySlots;

// The status that may leave the service: an error whose detail is not for the
// caller (INTERNAL, UNKNOWN, DATA_LOSS, or any without a reason) is logged and
// replaced by INTERNAL (INTERNAL_FAULT) or UNAVAILABLE (STORE_UNAVAILABLE).
absl::Status PublicStatus(std::string_view full_method, absl::Status status);

// What the policy table says of how often the caller may call; OK for one that
// is no cluster, whom the guard will judge. It never blocks: a caller over its
// limit takes no place in the executor's queue. Null: no limit.
absl::Status CheckLimit(CallLimit* limit, const grpc::AuthContext& auth,
                        std::string_view peer, std::string_view full_method);

// Whether a call of this caller may begin, for the gate.
bool MayBegin(CallLimit* limit, const grpc::AuthContext& auth);

// Thread-safe. It outlives every call that it started.
class CallRunner {
 public:
  struct Options {
    Executor* executor = nullptr;
    const Guard* guard = nullptr;
    // Null: clusters may call as often as they like.
    CallLimit* limit = nullptr;
    RpcMetrics* metrics = nullptr;
    ExchangeLog* exchanges = nullptr;
    const Clock* clock = nullptr;
    // What a caller is told to wait when the queue is full.
    absl::Duration overload_retry_delay = absl::Seconds(1);
    // Spreads those that find it full; null: after overload_retry_delay.
    RetrySlots* overload_slots = nullptr;
    // Whether a call of this peer, as gRPC names it, may wait for the executor:
    // whoever has no identity takes no place of those who do by coming often.
    // It never blocks. Null: all may.
    std::function<absl::Status(std::string_view peer)> may_wait = nullptr;
    // Whether a call may run whose caller and fields were checked; `request` is
    // null where the call has none. Null: all may.
    std::function<absl::Status(const grpc::CallbackServerContext& context,
                               const Caller& caller,
                               const google::protobuf::Message* request)>
        admit = nullptr;
    // Told how each call's own work ended. Null: nobody is.
    std::function<void(const grpc::CallbackServerContext& context,
                       const Caller& caller, std::string_view full_method,
                       const absl::Status& status)>
        ended = nullptr;
  };

  // The call's own work, on a thread of the executor; it may block. It fills
  // the response and, where the exchange is recorded, one line for people in
  // `summary` (never a secret).
  using Work =
      std::function<absl::Status(const Caller& caller, std::string* summary)>;

  explicit CallRunner(const Options& options) : options_(options) {}

  // Hands the call over to the executor (full: UNAVAILABLE, OVERLOADED; too
  // many calls of this cluster: RESOURCE_EXHAUSTED, RATE_LIMITED; or the error
  // of may_wait), there checks
  // the caller and the request's fields, runs `work`, counts and records the
  // exchange (EXCHANGE_UNSPECIFIED: not recorded) and finishes the call. A call
  // that its client has cancelled by then is not run. `full_method` outlives
  // the call: a literal, "/package.Service/Method".
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context,
                                  std::string_view full_method,
                                  v1::Exchange exchange, const Request* request,
                                  Response* /*response*/, Work work) {
    return Start(context, full_method, exchange, request, std::move(work));
  }

  // The answer of an RPC that is in the contract and not built yet:
  // UNIMPLEMENTED (NOT_SUPPORTED_YET), to those who may call it.
  grpc::ServerUnaryReactor* Unimplemented(grpc::CallbackServerContext* context,
                                          std::string_view full_method);

  // The error of those RPCs, for streams: check the guard first.
  static absl::Status NotSupportedYet(std::string_view full_method);

 private:
  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* context,
                                  std::string_view full_method,
                                  v1::Exchange exchange,
                                  const google::protobuf::Message* request,
                                  Work work);
  absl::Status Run(const grpc::CallbackServerContext& context,
                   std::string_view full_method,
                   const google::protobuf::Message* request, const Work& work,
                   Caller& caller, std::string& summary) const;
  void Finish(std::string_view full_method, v1::Exchange exchange,
              absl::Time start, const Caller& caller, std::string summary,
              const absl::Status& status) const;

  const Options options_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_API_CALL_H_

// The calls that are under way, so that the agent can end in order.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_IN_FLIGHT_H_
#define MC_CLUSTER_AGENT_EXCHANGE_IN_FLIGHT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/executor/executor.h"
#include "common/status/grpc_status.h"
#include "common/time/clock.h"

namespace mc::agent {

// A deadline that gRPC counts from now by its own clock.
gpr_timespec DeadlineIn(absl::Duration duration);

// Thread-safe. Whoever owns a channel waits with CancelAndWait before it drops
// the channel: the last reference must not go on a thread of gRPC.
class InFlight {
 public:
  // False, and not registered, after CancelAndWait.
  bool Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);

  // Waits until nothing is under way, or until `deadline`.
  void WaitUntil(Clock& clock, absl::Time deadline);

  // Cancels what is under way, waits for it, and takes nothing more.
  void CancelAndWait();

 private:
  bool None() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return contexts_.empty();
  }

  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

// The callback method of a generated stub: `&Stub::async_interface::Method`.
template <typename Async, typename Request, typename Response>
using UnaryMethod = void (Async::*)(grpc::ClientContext*, const Request*,
                                    Response*,
                                    std::function<void(grpc::Status)>);

// Starts a unary call and returns. `done` runs once, on the executor; never
// when the agent stops before. The stub outlives the call.
template <typename Async, typename Request, typename Response>
void CallUnary(InFlight* in_flight, Executor* executor, Async* async,
               UnaryMethod<Async, Request, Response> method, Request request,
               absl::Duration deadline,
               std::function<void(absl::StatusOr<Response>)> done) {
  struct Call {
    explicit Call(InFlight* calls) : in_flight(calls) {}
    ~Call() { in_flight->Remove(&context); }

    InFlight* const in_flight;
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  auto call = std::make_shared<Call>(in_flight);
  if (!in_flight->Add(&call->context)) return;
  call->request = std::move(request);
  call->context.set_deadline(DeadlineIn(deadline));
  Call* const started = call.get();
  (async->*method)(
      &started->context, &started->request, &started->response,
      [executor, done = std::move(done),
       call = std::move(call)](const grpc::Status& status) mutable {
        // The call goes with the function that runs on the executor: it holds
        // the channel, whose last reference may not go here.
        executor->TryRun(
            [done = std::move(done), call = std::move(call), status]() mutable {
              if (status.ok()) return done(std::move(call->response));
              done(FromGrpc(status));
            });
      });
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_IN_FLIGHT_H_

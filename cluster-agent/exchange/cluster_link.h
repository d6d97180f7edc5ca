// The connection to the cluster listener, which moves to another certificate
// while calls go on.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_CLUSTER_LINK_H_
#define MC_CLUSTER_AGENT_EXCHANGE_CLUSTER_LINK_H_

#include <grpcpp/generic/generic_stub.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cluster-agent/exchange/in_flight.h"
#include "common/executor/executor.h"
#include "common/status/status.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"

namespace mc::agent {

// A connection with one certificate. Whoever has a call on it keeps it.
struct ClusterLink {
  explicit ClusterLink(std::shared_ptr<grpc::Channel> connected)
      : channel(std::move(connected)),
        stub(missioncontrol::v1::ClusterService::NewStub(channel)),
        raw_stub(channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<missioncontrol::v1::ClusterService::Stub> stub;
  grpc::GenericStub raw_stub;
};

// The link in use. Thread-safe.
class CurrentLink {
 public:
  // Null: not registered yet.
  std::shared_ptr<ClusterLink> Get() const ABSL_LOCKS_EXCLUDED(mutex_);

  // A newer certificate is tried: from here on the service may end the older
  // one at any moment. Ended by Set or GiveUp.
  void BeginProof() ABSL_LOCKS_EXCLUDED(mutex_);
  void Set(std::shared_ptr<ClusterLink> link) ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);

  // For what was refused with `status` on `link`. True: it may have been
  // refused only because a newer certificate took its place (where an operator
  // chose this agent among two, the older one is even told MUST_REENROLL). Then
  // `retry` runs, here or, while that one is still being proven, when that is
  // over: what is said of the link in use counts.
  bool TryElsewhere(const absl::Status& status,
                    const std::shared_ptr<ClusterLink>& link,
                    std::function<void()> retry) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void EndProof(std::shared_ptr<ClusterLink> link) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::shared_ptr<ClusterLink> link_ ABSL_GUARDED_BY(mutex_);
  bool proving_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
};

// CallUnary on the link in use; what the older certificate is refused for while
// it is replaced is called again with the newer one. `links` outlives the call.
template <typename Request, typename Response>
void CallCluster(
    CurrentLink* links, InFlight* in_flight, Executor* executor,
    UnaryMethod<
        missioncontrol::v1::ClusterService::StubInterface::async_interface,
        Request, Response>
        method,
    Request request, absl::Duration deadline,
    std::function<void(absl::StatusOr<Response>)> done) {
  using Async =
      missioncontrol::v1::ClusterService::StubInterface::async_interface;
  const std::shared_ptr<ClusterLink> link = links->Get();
  Async* const async = link->stub->async();
  CallUnary<Async, Request, Response>(
      in_flight, executor, async, method, request, deadline,
      [=, done = std::move(done)](absl::StatusOr<Response> answer) {
        if (links->TryElsewhere(answer.status(), link, [=] {
              CallCluster<Request, Response>(links, in_flight, executor, method,
                                             request, deadline, done);
            })) {
          return;
        }
        done(std::move(answer));
      });
}

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_CLUSTER_LINK_H_

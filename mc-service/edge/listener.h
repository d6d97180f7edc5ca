// One gRPC listener: a grpc::Server of its own with every limit explicit,
// behind an accept loop of its own.
#ifndef MC_SERVICE_EDGE_LISTENER_H_
#define MC_SERVICE_EDGE_LISTENER_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "mc-service/edge/acceptor.h"
#include "mc-service/edge/address.h"
#include "mc-service/edge/gate.h"
#include "mc-service/edge/policy.h"

namespace mc::service {

// Methods that the policy table does not name for this listener are denied.
// The standard health service answers for each service by its full name, and
// for "" as a whole; all are NOT_SERVING until SetServing(true).
class ListenerServer {
 public:
  struct Options {
    Listener listener = Listener::kEnrollment;
    // host:port; port 0 takes a free one.
    std::string address;
    // TLS; this listener's gate is attached to it, so it is not shared.
    std::shared_ptr<grpc::ServerCredentials> credentials;
    bool reflection = false;
    // Whose time the answers tell; it outlives the server.
    const Clock* clock = nullptr;
    int64_t max_message_bytes = 4 << 20;
    // What gRPC may use for connections and calls.
    int64_t memory_quota_bytes = int64_t{2} << 30;
    Acceptor::Limits limits;
    // Balancers whose connections begin with a PROXY header.
    std::vector<Network> proxies;
    // Not owned; they outlive the server.
    std::vector<grpc::Service*> services;
    // Of the gate; null: every call may begin.
    AdmitCall admit;
    // Their full names, for health.
    std::vector<std::string> service_names;
  };

  // UNAVAILABLE when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<ListenerServer>> Start(
      const Options& options);

  // Ends at once what is still open.
  ~ListenerServer();

  Listener listener() const { return listener_; }
  // The port that is really listened on.
  int port() const { return port_; }

  void SetServing(bool serving);

  // Where the caller that context->peer() names really is, in the same form;
  // it differs behind a balancer.
  std::string RealPeer(std::string_view peer) const {
    return acceptor_->RealPeer(peer);
  }
  // Ends the connection that context->peer() names, with all its calls; `why`
  // is logged. False where there is none.
  bool Cut(std::string_view peer, std::string_view why) {
    return acceptor_->Cut(peer, why);
  }
  Acceptor::Figures figures() const { return acceptor_->figures(); }

  // Accepts nothing new, waits at most until `deadline` for the open calls,
  // then cancels them. Blocks.
  void Shutdown(absl::Time deadline);

 private:
  ListenerServer(const Options& options, std::unique_ptr<Acceptor> acceptor);

  const Listener listener_;
  const int port_;
  const std::vector<std::string> service_names_;
  const std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> external_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_EDGE_LISTENER_H_

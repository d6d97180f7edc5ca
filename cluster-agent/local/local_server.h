// agent.sock and admin.sock: a gRPC server for each.
#ifndef MC_CLUSTER_AGENT_LOCAL_LOCAL_SERVER_H_
#define MC_CLUSTER_AGENT_LOCAL_LOCAL_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/local/agent_service.h"
#include "common/rpc/unix_listener.h"

namespace mc::agent {

// Root and the agent's own user may connect to both sockets; who is in the
// product's group, to agent.sock. There is no TCP listener.
class LocalServer {
 public:
  struct Options {
    LocalSocket socket = LocalSocket::kProduct;
    std::string path;
    // Of agent.sock; absent: the agent's own.
    std::optional<gid_t> group;
    LocalDeps deps;
    // Answers every call in place of AgentService; outlives the server.
    grpc::CallbackGenericService* instead = nullptr;
  };

  // The errors of UnixListener::Bind.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(Options options);
  ~LocalServer();

  // Takes no new calls, and waits for those under way; at most `grace`.
  void Stop(absl::Duration grace);

 private:
  explicit LocalServer(Options options);

  const Options options_;
  LocalAgentService service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<UnixListener> listener_;
};

// Makes the directory of the sockets where it is missing.
absl::Status EnsureSocketDirectory(const std::string& path);

// The ID of a group. INVALID_ARGUMENT: there is none of that name.
absl::StatusOr<gid_t> GroupId(const std::string& name);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_LOCAL_LOCAL_SERVER_H_

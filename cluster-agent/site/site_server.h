// The two ports on which the master serves its site.
#ifndef MC_CLUSTER_AGENT_SITE_SITE_SERVER_H_
#define MC_CLUSTER_AGENT_SITE_SITE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/site/attempt_limit.h"
#include "cluster-agent/site/node_streams.h"
#include "cluster-agent/site/site_service.h"

namespace mc::agent {

// TLS with certificates of the site's CA, which renew by themselves. The join
// port asks for no client certificate; the node port takes no connection
// without one of this CA. What no node sends ends its connection (common/tls/
// guard_reads.h): one of this class at a time.
class SiteServer {
 public:
  struct Options {
    // host:port; port 0 takes a free one.
    std::string join_address;
    std::string nodes_address;
    // What joining nodes are told; empty: the node port, without a host.
    std::string told_address;
    // streams, attempts and node_address are this class's own.
    SiteDeps deps;
  };

  // UNAVAILABLE when an address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<SiteServer>> Start(Options options);
  // As Stop(0).
  ~SiteServer();

  // The ports that are really listened on.
  int join_port() const { return join_port_; }
  int nodes_port() const { return nodes_port_; }

  // Ends the open stream of a node that was removed.
  void OnRemoved(const std::string& node_id);

  // Takes nothing new, tells the open streams, and waits for the calls under
  // way; at most `grace` for each port.
  void Stop(absl::Duration grace);

 private:
  explicit SiteServer(Options options);
  absl::Status Listen();

  Options options_;
  NodeStreams streams_;
  AttemptLimit attempts_;
  SiteServiceImpl join_service_;
  SiteServiceImpl node_service_;
  // They outlive the servers.
  std::shared_ptr<grpc::ServerCredentials> join_credentials_;
  std::shared_ptr<grpc::ServerCredentials> node_credentials_;
  int join_port_ = 0;
  int nodes_port_ = 0;
  bool guarded_ = false;
  std::unique_ptr<grpc::Server> join_server_;
  std::unique_ptr<grpc::Server> node_server_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_SITE_SITE_SERVER_H_

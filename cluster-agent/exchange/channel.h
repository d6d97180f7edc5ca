// The agent's connections: to the service, and within the site.
#ifndef MC_CLUSTER_AGENT_EXCHANGE_CHANNEL_H_
#define MC_CLUSTER_AGENT_EXCHANGE_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/dial.h"

namespace mc::agent {

struct ChannelOptions {
  // host:port
  std::string address;
  // Absent: the connection is direct, whatever the environment says.
  std::optional<HttpProxy> proxy = {};
  // What the server's certificate must come from; empty: the system's CAs.
  std::string root_pem;
  // Both empty on the enrollment listener.
  std::string cert_chain_pem;
  std::string key_pem;
  // The longest time that a channel waits between two attempts to connect.
  absl::Duration backoff_initial;
  absl::Duration backoff_max;
  // The name that the server's certificate must have, instead of the host.
  std::string server_name = {};
};

// Connects when it is first used. The error is about the certificates, and
// says which.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const ChannelOptions& options);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_EXCHANGE_CHANNEL_H_

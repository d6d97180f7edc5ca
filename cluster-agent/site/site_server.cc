#include "cluster-agent/site/site_server.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/site/master_certificate.h"
#include "common/rpc/server_arguments.h"
#include "common/status/status.h"
#include "common/tls/guard_reads.h"
#include "common/tls/renewing_credentials.h"

namespace mc::agent {
namespace {

// What the ports differ in.
struct Limits {
  int max_message_bytes;
  ServerLimits connections;
};

constexpr int kMaxMetadataBytes = 8 << 10;
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
// What gRPC may hold for all connections of a port.
constexpr size_t kMemory = 64 << 20;

// Whoever comes to the join port is unknown: a call or two, then good-bye. A
// node's connection ends now and then, so that its certificate is looked at.
constexpr Limits kJoinLimits = {
    32 << 10,
    {4, kMaxMetadataBytes, kHandshakeTimeout, absl::Minutes(1),
     absl::Seconds(20), absl::Seconds(20)}};
constexpr Limits kNodeLimits = {
    128 << 10,
    {8, kMaxMetadataBytes, kHandshakeTimeout, absl::Hours(12),
     absl::Seconds(30), absl::InfiniteDuration()}};

// A node has one stream that lasts, and a call now and then; on it a report at
// intervals.
FrameGuard::Limits Frames() {
  FrameGuard::Limits limits;
  limits.streams_per_second = 10;
  limits.streams_at_once = 200;
  limits.controls_per_second = 5;
  limits.controls_at_once = 100;
  limits.empties_per_second = 200;
  limits.empties_at_once = 5000;
  limits.header_bytes = size_t{2} * kMaxMetadataBytes;
  return limits;
}

void SetArguments(const Limits& limits, grpc::ServerBuilder& builder) {
  for (const auto& [name, value] : ServerArguments(limits.connections)) {
    builder.AddChannelArgument(name, value);
  }
  // A compressed message is expanded before its size is measured.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetMaxReceiveMessageSize(limits.max_message_bytes);
  grpc::ResourceQuota quota("site");
  quota.Resize(kMemory);
  builder.SetResourceQuota(quota);
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const SiteDeps& deps,
                                                     bool client_certificates) {
  const auto certificate =
      std::make_shared<MasterCertificate>(deps.authority, deps.clock);
  return RenewingServerCredentials(
      client_certificates, [certificate] { return certificate->Next(); });
}

absl::StatusOr<std::unique_ptr<grpc::Server>> ListenOn(
    const std::string& key, const std::string& address, const Limits& limits,
    const std::shared_ptr<grpc::ServerCredentials>& credentials,
    grpc::Service* service, int* port) {
  grpc::ServerBuilder builder;
  SetArguments(limits, builder);
  builder.AddListeningPort(address, credentials, port);
  builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || *port == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address,
        " for the site: another program has that port, or the address is not "
        "one of this machine; set ",
        key));
  }
  return server;
}

void Shutdown(std::unique_ptr<grpc::Server>& server, absl::Duration grace) {
  if (server == nullptr) return;
  server->Shutdown(
      gpr_time_from_millis(absl::ToInt64Milliseconds(grace), GPR_TIMESPAN));
  server->Wait();
  server = nullptr;
}

}  // namespace

SiteServer::SiteServer(Options options)
    : options_(std::move(options)),
      attempts_(options_.deps.clock),
      join_service_(&options_.deps, SitePort::kJoin),
      node_service_(&options_.deps, SitePort::kNodes) {
  options_.deps.streams = &streams_;
  options_.deps.attempts = &attempts_;
  options_.deps.started = options_.deps.clock->SinceBoot();
  options_.deps.node_address = [this] {
    return options_.told_address.empty() ? absl::StrCat(":", nodes_port_)
                                         : options_.told_address;
  };
}

absl::StatusOr<std::unique_ptr<SiteServer>> SiteServer::Start(Options options) {
  std::unique_ptr<SiteServer> server(new SiteServer(std::move(options)));
  const absl::Status status = server->Listen();
  if (!status.ok()) return status;
  return server;
}

absl::Status SiteServer::Listen() {
  // Whoever can reach a port could end the agent with one header.
  GuardReads(
      {.limits = Frames(), .clock = options_.deps.clock, .on_ended = {}});
  guarded_ = true;
  // First: what the join port answers names it.
  node_credentials_ = Credentials(options_.deps, true);
  auto nodes =
      ListenOn("site.listen.nodes", options_.nodes_address, kNodeLimits,
               node_credentials_, &node_service_, &nodes_port_);
  if (!nodes.ok()) return nodes.status();
  node_server_ = *std::move(nodes);
  join_credentials_ = Credentials(options_.deps, false);
  auto join = ListenOn("site.listen.join", options_.join_address, kJoinLimits,
                       join_credentials_, &join_service_, &join_port_);
  if (!join.ok()) return join.status();
  join_server_ = *std::move(join);
  return absl::OkStatus();
}

SiteServer::~SiteServer() { Stop(absl::ZeroDuration()); }

void SiteServer::OnRemoved(const std::string& node_id) {
  streams_.EndStreamOf(
      node_id, Error(absl::StatusCode::kPermissionDenied,
                     missioncontrol::v1::ERROR_REASON_NODE_REMOVED,
                     "this node was removed from the site; let it join again "
                     "with a token"));
}

void SiteServer::Stop(absl::Duration grace) {
  streams_.Drain();
  Shutdown(join_server_, grace);
  Shutdown(node_server_, grace);
  if (std::exchange(guarded_, false)) StopGuardingReads();
}

}  // namespace mc::agent

#include "mc-service/edge/listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mc-service/edge/gate.h"

namespace mc::service {
namespace {

// What the listeners differ in. The agents' settings match these: middleboxes
// cut a connection that is idle for about a minute, so both ends ping before.
struct Limits {
  int max_concurrent_streams;
  // Afterwards the client is asked to open another connection: balancers see
  // new connections, and an old TLS session does not live for ever.
  absl::Duration max_age;
  absl::Duration max_age_grace;
  // A connection without any call.
  absl::Duration max_idle;
};

Limits LimitsOf(Listener listener) {
  switch (listener) {
    case Listener::kEnrollment:
      // Whoever comes here is unknown: one or two calls, then good-bye.
      return {8, absl::Minutes(2), absl::Seconds(30), absl::Seconds(30)};
    case Listener::kCluster:
      return {64, absl::Hours(12), absl::Minutes(5), absl::InfiniteDuration()};
    default:
      return {256, absl::Hours(12), absl::Minutes(5), absl::Minutes(30)};
  }
}

constexpr int kMaxMetadataBytes = 16 << 10;
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(20);
constexpr absl::Duration kKeepaliveTime = absl::Seconds(45);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// Clients ping every 30 to 45 s; what comes more often is not welcome.
constexpr absl::Duration kMinClientPingInterval = absl::Seconds(20);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), INT_MAX));
}

// Linking the reflection library adds its plugin to every ServerBuilder of the
// process; this takes it out again.
class NoReflection : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return plugin->name() == "proto_server_reflection";
    });
  }
};

void SetArguments(const ListenerServer::Options& options,
                  grpc::ServerBuilder& builder) {
  const Limits limits = LimitsOf(options.listener);
  const std::pair<const char*, int> arguments[] = {
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams},
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepaliveTime)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout)},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      // The service's own pings, not bounded by data in between.
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       Milliseconds(kMinClientPingInterval)},
      {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.max_age)},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
       Milliseconds(limits.max_age_grace)},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.max_idle)},
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},
      {GRPC_ARG_ENABLE_CHANNELZ, 0},
      // A second service on the same port is an error, not half the traffic.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
  };
  for (const auto& [name, value] : arguments) {
    builder.AddChannelArgument(name, value);
  }
  // The size limit holds for what arrives; a compressed message is expanded
  // before it is measured.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(options.max_message_bytes, INT_MAX)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ListenerServer>> ListenerServer::Start(
    const Options& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  SetArguments(options, builder);
  if (options.reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Reflection is a synchronous service: a thread or two are enough.
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  } else {
    builder.SetOption(std::make_unique<NoReflection>());
  }
  options.credentials->SetAuthMetadataProcessor(
      MakeGate(options.listener, options.reflection));
  int port = 0;
  builder.AddListeningPort(options.address, options.credentials, &port);
  for (grpc::Service* service : options.services) {
    builder.RegisterService(service);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    const std::string_view name = ListenerName(options.listener);
    return absl::UnavailableError(absl::StrCat(
        "The ", absl::string_view(name.data(), name.size()),
        " listener cannot listen on ", options.address,
        ": another program has that port, or the address is not one of this "
        "machine; set listeners.",
        absl::string_view(name.data(), name.size()), ".address."));
  }
  auto result = std::unique_ptr<ListenerServer>(
      new ListenerServer(options, std::move(server), port));
  result->SetServing(false);
  return result;
}

ListenerServer::ListenerServer(const Options& options,
                               std::unique_ptr<grpc::Server> server, int port)
    : listener_(options.listener),
      port_(port),
      service_names_(options.service_names),
      server_(std::move(server)) {}

ListenerServer::~ListenerServer() {
  server_->Shutdown(std::chrono::system_clock::time_point::min());
  server_->Wait();
}

void ListenerServer::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus(serving);
  for (const std::string& name : service_names_) {
    health->SetServingStatus(name, serving);
  }
}

void ListenerServer::Shutdown(absl::Time deadline) {
  server_->Shutdown(absl::ToChronoTime(deadline));
}

}  // namespace mc::service

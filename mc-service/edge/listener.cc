#include "mc-service/edge/listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/edge/channel_arguments.h"
#include "mc-service/edge/date.h"
#include "mc-service/edge/gate.h"

namespace mc::service {
namespace {

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

// gRPC ends a handshake that takes too long, too, but does not say so: the
// acceptor, which does, comes first.
constexpr absl::Duration kHandshakeMargin = absl::Seconds(2);

void SetArguments(const ListenerServer::Options& options,
                  grpc::ServerBuilder& builder) {
  for (const auto& [name, value] :
       ChannelArguments(options.listener,
                        options.limits.handshake_timeout + kHandshakeMargin)) {
    builder.AddChannelArgument(name, value);
  }
  grpc::ResourceQuota quota(std::string(ListenerName(options.listener)));
  quota.Resize(static_cast<size_t>(options.memory_quota_bytes));
  builder.SetResourceQuota(quota);
  // The size limit holds for what arrives; a compressed message is expanded
  // before it is measured.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(options.max_message_bytes, INT_MAX)));
}

absl::StatusOr<std::unique_ptr<Acceptor>> BindAcceptor(
    const ListenerServer::Options& options) {
  const absl::StatusOr<HostPort> address = ParseHostPort(options.address);
  if (!address.ok()) return address.status();
  Acceptor::Options acceptor;
  acceptor.name = ListenerName(options.listener);
  acceptor.host = address->host;
  acceptor.port = address->port;
  acceptor.proxies = options.proxies;
  acceptor.limits = options.limits;
  acceptor.clock = options.clock;
  return Acceptor::Bind(std::move(acceptor));
}

absl::Status CannotListen(const ListenerServer::Options& options,
                          const absl::Status& why) {
  const std::string_view name = ListenerName(options.listener);
  const absl::string_view listener(name.data(), name.size());
  return absl::UnavailableError(absl::StrCat(
      "The ", listener, " listener cannot listen on ", options.address,
      ": another program has that port, or the address is not one of this "
      "machine; set listeners.",
      listener, ".address. (", why.message(), ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ListenerServer>> ListenerServer::Start(
    const Options& options) {
  absl::StatusOr<std::unique_ptr<Acceptor>> acceptor = BindAcceptor(options);
  if (!acceptor.ok()) return CannotListen(options, acceptor.status());
  auto result = std::unique_ptr<ListenerServer>(
      new ListenerServer(options, *std::move(acceptor)));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  SetArguments(options, builder);
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      interceptors;
  interceptors.push_back(MakeDateInterceptor(options.clock));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  if (options.reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Reflection is a synchronous service: a thread or two are enough.
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  } else {
    builder.SetOption(std::make_unique<NoReflection>());
  }
  options.credentials->SetAuthMetadataProcessor(
      MakeGate(options.listener, options.reflection, options.admit));
  result->external_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      options.credentials);
  for (grpc::Service* service : options.services) {
    builder.RegisterService(service);
  }
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) {
    return CannotListen(options, absl::InternalError("gRPC does not start"));
  }
  result->SetServing(false);
  // Only now: gRPC leaks a descriptor that it is handed before its start.
  const absl::Status started = result->acceptor_->Start(
      [external = result->external_.get()](int listening_fd, int fd) {
        grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
            connection;
        connection.listener_fd = listening_fd;
        connection.fd = fd;
        external->HandleNewConnection(&connection);
      });
  if (!started.ok()) return CannotListen(options, started);
  return result;
}

ListenerServer::ListenerServer(const Options& options,
                               std::unique_ptr<Acceptor> acceptor)
    : listener_(options.listener),
      port_(acceptor->port()),
      service_names_(options.service_names),
      acceptor_(std::move(acceptor)) {}

ListenerServer::~ListenerServer() {
  if (server_ == nullptr) return;
  acceptor_->StopAccepting();
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
  // First: gRPC leaks a descriptor that it is handed after its shutdown.
  acceptor_->StopAccepting();
  server_->Shutdown(absl::ToChronoTime(deadline));
}

}  // namespace mc::service

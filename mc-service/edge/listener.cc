#include "mc-service/edge/listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
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

void SetArguments(const ListenerServer::Options& options,
                  grpc::ServerBuilder& builder) {
  for (const auto& [name, value] : ChannelArguments(options.listener)) {
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

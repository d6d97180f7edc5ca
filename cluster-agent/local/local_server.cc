#include "cluster-agent/local/local_server.h"

#include <grp.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/log/log.h"

namespace mc::agent {
namespace {

constexpr int kMaxMessageBytes = 4 << 20;

}  // namespace

absl::Status EnsureSocketDirectory(const std::string& path) {
  if (FileExists(path)) return absl::OkStatus();
  // Whoever may use a socket must be able to enter the directory; the sockets
  // themselves say who may.
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path, " (socket_directory) cannot be made: ", error.message(),
      "; make it, or name another one"));
}

absl::StatusOr<gid_t> GroupId(const std::string& name) {
  std::vector<char> buffer(16 << 10);
  group entry = {};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(),
                   &found) != 0 ||
      found == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("product_group: this system has no group ", name,
                     "; create it with groupadd, or name another one"));
  }
  return found->gr_gid;
}

LocalServer::LocalServer(Options options)
    : options_(std::move(options)), service_(options_.deps, options_.socket) {}

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(
    Options options) {
  std::unique_ptr<LocalServer> result(new LocalServer(std::move(options)));
  const LocalSocket socket = result->options_.socket;
  const gid_t group = result->options_.group.value_or(::getegid());
  absl::StatusOr<std::unique_ptr<UnixListener>> listener = UnixListener::Bind(
      {.path = result->options_.path,
       .mode = socket == LocalSocket::kAdmin ? 0600u : 0660u,
       .group = result->options_.group,
       .allow = [socket, group](const PeerCredentials& peer) {
         const bool allowed =
             peer.uid == 0 || peer.uid == ::geteuid() ||
             (socket == LocalSocket::kProduct && peer.InGroup(group));
         if (!allowed) {
           LogWarning("a local connection was refused",
                      {{"uid", peer.uid}, {"pid", peer.pid}});
         }
         return allowed;
       }});
  if (!listener.ok()) return listener.status();
  result->listener_ = *std::move(listener);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  result->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::experimental::LocalServerCredentials(UDS));
  if (result->options_.instead != nullptr) {
    builder.RegisterCallbackGenericService(result->options_.instead);
  } else {
    builder.RegisterService(&result->service_);
  }
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) {
    return absl::InternalError(
        absl::StrCat(result->options_.path, ": cannot start its server"));
  }
  const absl::Status started =
      result->listener_->Start(result->acceptor_.get());
  if (!started.ok()) return started;
  return result;
}

LocalServer::~LocalServer() { Stop(absl::ZeroDuration()); }

void LocalServer::Stop(absl::Duration grace) {
  // First: gRPC leaks a connection that it is handed after its shutdown.
  if (listener_ != nullptr) listener_->Stop();
  if (server_ == nullptr) return;
  server_->Shutdown(
      gpr_time_from_millis(absl::ToInt64Milliseconds(grace), GPR_TIMESPAN));
  server_ = nullptr;
}

}  // namespace mc::agent

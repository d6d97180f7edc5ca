#include "mc-service/enroll/front_link.h"

#include <grp.h>
#include <grpc/grpc.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "mc-service/edge/gate.h"

namespace mc::service {
namespace {

absl::StatusOr<gid_t> GroupId(const std::string& name) {
  std::vector<char> buffer(16 << 10);
  group entry = {};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(),
                   &found) == 0 &&
      found != nullptr) {
    return found->gr_gid;
  }
  uint32_t number = 0;
  if (absl::SimpleAtoi(name, &number)) return static_cast<gid_t>(number);
  return absl::InvalidArgumentError(
      absl::StrCat("enrollment_front.group: this system has no group ", name,
                   "; create it with groupadd, or name another one"));
}

bool Allowed(const PeerCredentials& peer, std::optional<gid_t> group) {
  const bool allowed = peer.uid == 0 || peer.uid == ::geteuid() ||
                       (group.has_value() && peer.InGroup(*group));
  if (!allowed) {
    LogWarning("a connection to the enrollment front's socket was refused",
               {{"uid", peer.uid}, {"pid", peer.pid}});
  }
  return allowed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrontLink>> FrontLink::Start(
    const Options& options) {
  std::optional<gid_t> group;
  if (!options.group.empty()) {
    const absl::StatusOr<gid_t> id = GroupId(options.group);
    if (!id.ok()) return id.status();
    group = *id;
  }
  std::unique_ptr<FrontLink> result(new FrontLink);
  absl::StatusOr<std::unique_ptr<UnixListener>> listener =
      UnixListener::Bind({.path = options.socket,
                          .mode = group.has_value() ? 0660u : 0600u,
                          .group = group,
                          .allow = [group](const PeerCredentials& peer) {
                            return Allowed(peer, group);
                          }});
  if (!listener.ok()) {
    return absl::Status(
        listener.status().code(),
        absl::StrCat("enrollment_front.socket: ", listener.status().message()));
  }
  result->listener_ = *std::move(listener);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(options.max_message_bytes, INT_MAX)));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  // As on every listener: the front may ask for what strangers may, no more.
  const std::shared_ptr<grpc::ServerCredentials> credentials =
      grpc::experimental::LocalServerCredentials(UDS);
  credentials->SetAuthMetadataProcessor(
      MakeGate(Listener::kEnrollment, /*reflection=*/false));
  result->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      credentials);
  builder.RegisterService(options.service);
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) {
    return absl::InternalError(
        absl::StrCat(options.socket, ": cannot start its server"));
  }
  const absl::Status started =
      result->listener_->Start(result->acceptor_.get());
  if (!started.ok()) return started;
  return result;
}

FrontLink::~FrontLink() { Shutdown(absl::InfinitePast()); }

void FrontLink::Shutdown(absl::Time deadline) {
  // First: gRPC leaks a connection that it is handed after its shutdown.
  if (listener_ != nullptr) listener_->Stop();
  if (server_ == nullptr) return;
  server_->Shutdown(absl::ToChronoTime(deadline));
  server_ = nullptr;
}

}  // namespace mc::service

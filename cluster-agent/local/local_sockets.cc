#include "cluster-agent/local/local_sockets.h"

#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"

namespace mc::agent {

absl::StatusOr<std::unique_ptr<LocalSockets>> LocalSockets::Open(
    const Configuration& configuration, const LocalDeps& deps) {
  const config::AgentConfig& values = configuration.values;
  if (!FileExists(values.socket_directory())) {
    // Whoever may use a socket must be able to enter the directory; the
    // sockets themselves say who may.
    std::error_code error;
    std::filesystem::create_directories(values.socket_directory(), error);
    if (error) {
      return absl::FailedPreconditionError(absl::StrCat(
          values.socket_directory(), " (socket_directory) cannot be made: ",
          error.message(), "; make it, or name another one"));
    }
  }
  std::optional<gid_t> group;
  if (!values.product_group().empty()) {
    const absl::StatusOr<gid_t> id = GroupId(values.product_group());
    if (!id.ok()) return id.status();
    group = *id;
  }
  auto admin = LocalServer::Start({.socket = LocalSocket::kAdmin,
                                   .path = configuration.AdminSocket(),
                                   .group = {},
                                   .deps = deps});
  if (!admin.ok()) return admin.status();
  auto product = LocalServer::Start({.socket = LocalSocket::kProduct,
                                     .path = configuration.AgentSocket(),
                                     .group = group,
                                     .deps = deps});
  if (!product.ok()) return product.status();
  return std::unique_ptr<LocalSockets>(
      new LocalSockets(*std::move(admin), *std::move(product)));
}

void LocalSockets::Stop(absl::Duration grace) {
  product_->Stop(grace);
  admin_->Stop(grace);
}

}  // namespace mc::agent

#include "cluster-agent/local/local_sockets.h"

#include <optional>

namespace mc::agent {

absl::StatusOr<std::unique_ptr<LocalSockets>> LocalSockets::Open(
    const Configuration& configuration, const LocalDeps& deps) {
  const config::AgentConfig& values = configuration.values;
  const absl::Status made = EnsureSocketDirectory(values.socket_directory());
  if (!made.ok()) return made;
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

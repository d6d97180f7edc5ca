#include <algorithm>

#include "mc-service/store/fake/fake_session.h"

namespace mc::service {
namespace {

absl::Status NotThere() {
  return absl::NotFoundError("it is not in the store");
}

}  // namespace

absl::StatusOr<std::vector<IssuedIdentity>> FakeSession::ListIssuedIdentities(
    std::string_view cluster_id) {
  const auto found = state_.identities.find(cluster_id);
  if (found == state_.identities.end()) return std::vector<IssuedIdentity>();
  return found->second;
}

absl::Status FakeSession::PutIssuedIdentities(
    std::string_view cluster_id,
    const std::vector<IssuedIdentity>& identities) {
  if (FindCluster(cluster_id) == nullptr) return NotThere();
  writable_->identities.insert_or_assign(std::string(cluster_id), identities);
  return absl::OkStatus();
}

absl::Status FakeSession::SetCloneSuspected(
    std::string_view cluster_id, absl::Time at,
    const std::vector<std::string>& agent_instance_ids) {
  ClusterOverview* cluster = FindCluster(cluster_id);
  if (cluster == nullptr) return NotThere();
  cluster->clone_suspected_at = std::max(cluster->clone_suspected_at, at);
  std::vector<std::string>& all = cluster->clone_instance_ids;
  for (const std::string& instance : agent_instance_ids) {
    all.erase(std::remove(all.begin(), all.end(), instance), all.end());
    all.push_back(instance);
  }
  if (all.size() > kMaxCloneInstances) {
    all.erase(all.begin(), all.end() - kMaxCloneInstances);
  }
  return absl::OkStatus();
}

absl::Status FakeSession::EndCloneSuspicion(std::string_view cluster_id) {
  ClusterOverview* cluster = FindCluster(cluster_id);
  if (cluster == nullptr) return NotThere();
  cluster->clone_suspected_at = absl::InfinitePast();
  cluster->clone_instance_ids.clear();
  return absl::OkStatus();
}

}  // namespace mc::service

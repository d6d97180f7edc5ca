#include "mc-service/edge/refused_identities.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/status/status.h"

namespace mc::service {
namespace {

constexpr int kPage = 1000;

}  // namespace

absl::Status RefusedIdentities::Load(Store* store) {
  ClusterFilter filter;
  filter.registration = v1::REGISTRATION_STATUS_REVOKED;
  std::vector<std::string> revoked;
  std::optional<int64_t> after = 0;
  while (after.has_value()) {
    // A page at a time, so that no read lasts long.
    const absl::Status read = store->Read([&](Reader& reader) {
      absl::StatusOr<Paged<ClusterOverview>> page =
          reader.ListClusters(filter, {.limit = kPage, .after = *after});
      if (!page.ok()) return page.status();
      for (ClusterOverview& overview : page->items) {
        revoked.push_back(std::move(overview.cluster.id));
      }
      after = page->next;
      return absl::OkStatus();
    });
    if (!read.ok()) return read;
  }
  absl::MutexLock lock(&mutex_);
  for (std::string& id : revoked) ids_.insert(std::move(id));
  return absl::OkStatus();
}

void RefusedIdentities::Update(std::string_view cluster_id,
                               const absl::Status& may_call) {
  const absl::string_view id(cluster_id.data(), cluster_id.size());
  if (!may_call.ok() &&
      ReasonOf(may_call) != v1::ERROR_REASON_IDENTITY_REVOKED) {
    return;
  }
  absl::MutexLock lock(&mutex_);
  if (may_call.ok()) {
    ids_.erase(id);
  } else {
    ids_.emplace(id);
  }
}

bool RefusedIdentities::Contains(std::string_view cluster_id) const {
  absl::ReaderMutexLock lock(&mutex_);
  return ids_.contains(absl::string_view(cluster_id.data(), cluster_id.size()));
}

size_t RefusedIdentities::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return ids_.size();
}

}  // namespace mc::service

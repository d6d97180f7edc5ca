#include "mc-service/domain/enrollment/directory.h"

#include "common/status/status.h"

namespace mc::service {
namespace {

absl::Status Denied(v1::ErrorReason reason, std::string_view message) {
  return Error(absl::StatusCode::kPermissionDenied, reason, message);
}

// A load through one read of the store, with an error for a missing row that
// callers understand.
template <typename Row>
typename RowCache<Row>::Load LoadBy(
    Store* store, absl::StatusOr<Row> (Reader::*get)(std::string_view key),
    std::string_view not_found) {
  return [=](std::string_view key) -> absl::StatusOr<Row> {
    absl::StatusOr<Row> row = absl::UnknownError("not read");
    absl::Status read = store->Read([&](Reader& reader) {
      row = (reader.*get)(key);
      return row.status();
    });
    if (absl::IsNotFound(read)) {
      return Denied(v1::ERROR_REASON_IDENTITY_UNKNOWN, not_found);
    }
    if (!read.ok()) return read;
    return row;
  };
}

}  // namespace

absl::Status CheckMayCall(const Cluster& cluster) {
  switch (cluster.registration) {
    case v1::REGISTRATION_STATUS_REGISTERED:
    case v1::REGISTRATION_STATUS_REOPENED:
      return absl::OkStatus();
    case v1::REGISTRATION_STATUS_REVOKED:
      return Denied(v1::ERROR_REASON_IDENTITY_REVOKED,
                    "The cluster was revoked; ask the vendor why.");
    case v1::REGISTRATION_STATUS_PENDING:
      return Denied(v1::ERROR_REASON_REGISTRATION_PENDING,
                    "The vendor has to approve the cluster's registration "
                    "first; register again until it is.");
    default:
      return Denied(v1::ERROR_REASON_IDENTITY_UNKNOWN,
                    "The cluster's registration is not complete; register "
                    "again.");
  }
}

ClusterDirectory::ClusterDirectory(const DirectoryOptions& options)
    : cache_(options,
             LoadBy<Cluster>(options.store, &Reader::GetCluster,
                             "The cluster is not registered; register it.")) {}

absl::StatusOr<Cluster> ClusterDirectory::Find(std::string_view cluster_id) {
  return cache_.Find(cluster_id);
}

absl::StatusOr<std::shared_ptr<const Cluster>> ClusterDirectory::Registered(
    std::string_view cluster_id) {
  absl::StatusOr<std::shared_ptr<const Cluster>> cluster =
      cache_.Share(cluster_id);
  if (!cluster.ok()) return cluster;
  if (absl::Status may = CheckMayCall(**cluster); !may.ok()) return may;
  return cluster;
}

OperatorDirectory::OperatorDirectory(const DirectoryOptions& options)
    : cache_(options,
             LoadBy<Operator>(
                 options.store, &Reader::GetOperator,
                 "The operator is not known; ask an administrator of the "
                 "service for access.")) {}

absl::StatusOr<Operator> OperatorDirectory::Find(std::string_view name) {
  return cache_.Find(name);
}

}  // namespace mc::service

#include <algorithm>

#include "mc-service/store/checks.h"
#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {
namespace {

absl::Status AlreadyThere() {
  return absl::AlreadyExistsError("it is in the store already");
}

absl::Status NotThere() {
  return absl::NotFoundError("it is not in the store");
}

}  // namespace

ClusterOverview* FakeSession::FindCluster(std::string_view id) {
  return FindRow(writable_->clusters, [&](const ClusterOverview& row) {
    return row.cluster.id == id;
  });
}

const License* FakeSession::FindLicense(std::string_view id) const {
  return FindRow(state_.licenses,
                 [&](const License& row) { return row.id == id; });
}

bool FakeSession::HasLicense(std::string_view id) const {
  return FindLicense(id) != nullptr;
}

absl::Status FakeSession::InsertAccount(const Account& account) {
  if (FindRow(state_.accounts, [&](const Account& row) {
        return row.id == account.id || row.name == account.name;
      }) != nullptr) {
    return AlreadyThere();
  }
  Append(writable_->accounts, account);
  return absl::OkStatus();
}

absl::Status FakeSession::InsertLicense(const License& license) {
  if (!GetAccount(license.account_id).ok()) return NotThere();
  if (FindRow(state_.licenses, [&](const License& row) {
        return row.id == license.id || row.key_digest == license.key_digest ||
               (row.account_id == license.account_id &&
                row.name == license.name);
      }) != nullptr) {
    return AlreadyThere();
  }
  Append(writable_->licenses, license);
  writable_->terms[license.id] = {
      {license.created_at, license.model, license.limits}};
  return absl::OkStatus();
}

absl::Status FakeSession::SetLicenseState(std::string_view id,
                                          v1::LicenseState state) {
  License* license = FindRow(writable_->licenses,
                             [&](const License& row) { return row.id == id; });
  if (license == nullptr) return NotThere();
  license->state = state;
  return absl::OkStatus();
}

absl::Status FakeSession::PutCluster(const Cluster& cluster) {
  if (!HasLicense(cluster.license_id)) return NotThere();
  if (ClusterOverview* row = FindCluster(cluster.id); row != nullptr) {
    row->cluster = cluster;
  } else {
    ClusterOverview added;
    added.cluster = cluster;
    Append(writable_->clusters, added);
  }
  return absl::OkStatus();
}

absl::Status FakeSession::InsertReport(const AcceptedReport& report) {
  const ReportKey& key = report.key;
  if (absl::Status fits = CheckSequence(key); !fits.ok()) return fits;
  if (FindCluster(key.cluster_id) == nullptr) return NotThere();
  const bool added = writable_->reports
                         .emplace(std::make_tuple(key.cluster_id, int{key.lane},
                                                  key.epoch, key.sequence),
                                  report)
                         .second;
  return added ? RaiseHighestSequence(key) : AlreadyThere();
}

absl::Status FakeSession::RaiseHighestSequence(const ReportKey& key) {
  if (absl::Status fits = CheckSequence(key); !fits.ok()) return fits;
  if (FindCluster(key.cluster_id) == nullptr) return NotThere();
  uint64_t& mark = writable_->marks[{key.cluster_id, key.lane, key.epoch}];
  mark = std::max(mark, key.sequence);
  return absl::OkStatus();
}

absl::Status FakeSession::InsertHealth(const StoredHealth& health, int keep) {
  ClusterOverview* cluster = FindCluster(health.cluster_id);
  if (cluster == nullptr) return NotThere();
  cluster->health = health.result.status();
  cluster->last_health_at = health.received_at;
  Append(writable_->health, health);
  // The oldest first.
  std::vector<int64_t> positions;
  for (const auto& [position, row] : state_.health) {
    if (row.cluster_id == health.cluster_id) positions.push_back(position);
  }
  const size_t kept = std::max(1, keep);
  for (size_t i = 0; i + kept < positions.size(); ++i) {
    writable_->health.erase(positions[i]);
  }
  return absl::OkStatus();
}

absl::Status FakeSession::InsertConsumption(const StoredConsumption& stored) {
  if (absl::Status valid = CheckConsumption(stored); !valid.ok()) return valid;
  const ReportKey& key = stored.key;
  if (FindCluster(key.cluster_id) == nullptr ||
      !HasLicense(stored.license_id)) {
    return NotThere();
  }
  if (FindRow(state_.consumption, [&](const StoredConsumption& row) {
        return row.key.cluster_id == key.cluster_id &&
               row.key.epoch == key.epoch && row.key.sequence == key.sequence;
      }) != nullptr) {
    return AlreadyThere();
  }
  Append(writable_->consumption, stored);
  return absl::OkStatus();
}

absl::Status FakeSession::AddPresence(const NodePresence& presence) {
  ClusterOverview* cluster = FindCluster(presence.cluster_id);
  if (cluster == nullptr) return NotThere();
  cluster->last_heartbeat_at =
      std::max(cluster->last_heartbeat_at, presence.last_heartbeat_at);
  NodePresence* row =
      FindRow(writable_->presence, [&](const NodePresence& row) {
        return row.cluster_id == presence.cluster_id &&
               row.node_id == presence.node_id &&
               row.source_type == presence.source_type;
      });
  if (row == nullptr) {
    Append(writable_->presence, presence);
  } else {
    row->heartbeats += presence.heartbeats;
    if (presence.last_heartbeat_at >= row->last_heartbeat_at) {
      row->last_heartbeat_at = presence.last_heartbeat_at;
      row->agent_instance_id = presence.agent_instance_id;
    }
  }
  return absl::OkStatus();
}

absl::Status FakeSession::AddExchangeCount(const ExchangeCount& count) {
  if (state_.erased_clusters.contains(count.cluster_id)) {
    return absl::OkStatus();
  }
  ExchangeCount* row =
      FindRow(writable_->exchange_counts, [&](const ExchangeCount& row) {
        return row.cluster_id == count.cluster_id &&
               row.exchange == count.exchange;
      });
  if (row == nullptr) {
    Append(writable_->exchange_counts, count);
    return absl::OkStatus();
  }
  row->succeeded += count.succeeded;
  row->failed += count.failed;
  if (count.last_at >= row->last_at) {
    row->last_at = count.last_at;
    row->last_result = count.last_result;
  }
  return absl::OkStatus();
}

absl::Status FakeSession::InsertRelease(const Release& release) {
  if (absl::Status valid = CheckRelease(release); !valid.ok()) return valid;
  const v1::ReleaseDocument& document = release.document;
  if (FindRow(state_.releases, [&](const Release& row) {
        return row.id == release.id ||
               (row.document.component() == document.component() &&
                row.document.label() == document.label() &&
                row.document.version() == document.version());
      }) != nullptr) {
    return AlreadyThere();
  }
  Append(writable_->releases, release);
  return absl::OkStatus();
}

}  // namespace mc::service

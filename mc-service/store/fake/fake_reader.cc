#include <algorithm>
#include <utility>

#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {
namespace {

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) +
         absl::Nanoseconds(time.nanos());
}

// Whether the report's time frame starts in [from, to).
bool StartsIn(const StoredConsumption& stored, absl::Time from, absl::Time to) {
  if (!stored.consumption.time_frame().has_start()) {
    return from == absl::InfinitePast() && to == absl::InfiniteFuture();
  }
  const absl::Time start = ToTime(stored.consumption.time_frame().start());
  return start >= from && start < to;
}

bool HasEnvironment(const v1::Consumption& consumption, std::string_view id) {
  for (const auto& environment : consumption.environments()) {
    if (environment.environment_id() == id) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Account> FakeSession::GetAccount(std::string_view id) {
  return Found(FindRow(state_.accounts,
                       [&](const Account& row) { return row.id == id; }));
}

absl::StatusOr<Paged<Account>> FakeSession::ListAccounts(const Page& page) {
  return ListRows(state_.accounts, page, false,
                  [](const Account&) { return true; });
}

absl::StatusOr<License> FakeSession::GetLicense(std::string_view id) {
  return Found(FindRow(state_.licenses,
                       [&](const License& row) { return row.id == id; }));
}

absl::StatusOr<License> FakeSession::FindLicenseByKey(
    std::string_view key_digest) {
  return Found(FindRow(state_.licenses, [&](const License& row) {
    return row.key_digest == key_digest;
  }));
}

absl::StatusOr<Paged<License>> FakeSession::ListLicenses(
    std::string_view account_id, const Page& page) {
  return ListRows(state_.licenses, page, false, [&](const License& row) {
    return account_id.empty() || row.account_id == account_id;
  });
}

absl::StatusOr<int64_t> FakeSession::CountClusters(
    std::string_view license_id) {
  int64_t count = 0;
  for (const auto& [position, row] : state_.clusters) {
    count += row.cluster.license_id == license_id &&
             row.cluster.registration != v1::REGISTRATION_STATUS_REVOKED &&
             row.cluster.registration != v1::REGISTRATION_STATUS_PENDING;
  }
  return count;
}

absl::StatusOr<int64_t> FakeSession::CountPendingClusters(
    std::string_view license_id) {
  int64_t count = 0;
  for (const auto& [position, row] : state_.clusters) {
    count += row.cluster.license_id == license_id &&
             row.cluster.registration == v1::REGISTRATION_STATUS_PENDING;
  }
  return count;
}

ClusterOverview FakeSession::Complete(ClusterOverview overview) const {
  const License* license = FindRow(state_.licenses, [&](const License& row) {
    return row.id == overview.cluster.license_id;
  });
  const Account* account = FindRow(state_.accounts, [&](const Account& row) {
    return row.id == license->account_id;
  });
  std::sort(overview.clone_instance_ids.begin(),
            overview.clone_instance_ids.end());
  overview.license_name = license->name;
  overview.account_id = account->id;
  overview.account_name = account->name;
  return overview;
}

absl::StatusOr<Cluster> FakeSession::GetCluster(std::string_view id) {
  absl::StatusOr<ClusterOverview> overview = GetClusterOverview(id);
  if (!overview.ok()) return overview.status();
  return std::move(overview->cluster);
}

absl::StatusOr<ClusterOverview> FakeSession::GetClusterOverview(
    std::string_view id) {
  absl::StatusOr<ClusterOverview> overview =
      Found(FindRow(state_.clusters, [&](const ClusterOverview& row) {
        return row.cluster.id == id;
      }));
  if (overview.ok()) *overview = Complete(*std::move(overview));
  return overview;
}

absl::StatusOr<Paged<ClusterOverview>> FakeSession::ListClusters(
    const ClusterFilter& filter, const Page& page) {
  Paged<ClusterOverview> listed =
      ListRows(state_.clusters, page, false, [&](const ClusterOverview& row) {
        const absl::Time seen = row.last_heartbeat_at;
        const bool ever = seen != absl::InfinitePast();
        return (filter.account_id.empty() ||
                Complete(row).account_id == filter.account_id) &&
               (filter.license_id.empty() ||
                row.cluster.license_id == filter.license_id) &&
               (filter.health == v1::HEALTH_STATUS_UNSPECIFIED ||
                row.health == filter.health) &&
               (filter.registration == v1::REGISTRATION_STATUS_UNSPECIFIED ||
                row.cluster.registration == filter.registration) &&
               (!filter.heartbeat_since ||
                (ever && seen >= *filter.heartbeat_since)) &&
               (!filter.heartbeat_before ||
                (ever && seen < *filter.heartbeat_before)) &&
               (!filter.never_seen || !ever);
      });
  for (ClusterOverview& row : listed.items) row = Complete(std::move(row));
  return listed;
}

absl::StatusOr<AcceptedReport> FakeSession::FindReport(const ReportKey& key) {
  const auto row =
      state_.reports.find({key.cluster_id, key.lane, key.epoch, key.sequence});
  return Found(row == state_.reports.end() ? nullptr : &row->second);
}

absl::StatusOr<uint64_t> FakeSession::HighestSequence(
    std::string_view cluster_id, v1::Lane lane, uint64_t epoch) {
  const auto mark = state_.marks.find({std::string(cluster_id), lane, epoch});
  return mark == state_.marks.end() ? 0 : mark->second;
}

absl::StatusOr<StoredHealth> FakeSession::LatestHealth(
    std::string_view cluster_id) {
  absl::StatusOr<Paged<StoredHealth>> latest =
      ListHealth(cluster_id, {.limit = 1});
  return Found(latest->items.empty() ? nullptr : &latest->items.front());
}

absl::StatusOr<Paged<StoredHealth>> FakeSession::ListHealth(
    std::string_view cluster_id, const Page& page) {
  return ListRows(state_.health, page, true, [&](const StoredHealth& row) {
    return row.cluster_id == cluster_id;
  });
}

absl::StatusOr<Paged<StoredConsumption>> FakeSession::ListConsumption(
    const ConsumptionFilter& filter, const Page& page) {
  return ListRows(
      state_.consumption, page, true, [&](const StoredConsumption& row) {
        return (filter.account_id.empty() ||
                GetLicense(row.license_id)->account_id == filter.account_id) &&
               (filter.license_id.empty() ||
                row.license_id == filter.license_id) &&
               (filter.cluster_id.empty() ||
                row.key.cluster_id == filter.cluster_id) &&
               (filter.environment_id.empty() ||
                HasEnvironment(row.consumption, filter.environment_id)) &&
               StartsIn(row, filter.from, filter.to);
      });
}

absl::StatusOr<UsageSums> FakeSession::SumUsage(std::string_view license_id,
                                                std::string_view environment_id,
                                                absl::Time from,
                                                absl::Time to) {
  UsageSums sums;
  std::map<std::pair<std::string, std::string>, int64_t> meters;
  for (const auto& [position, row] : state_.consumption) {
    if (row.license_id != license_id || !StartsIn(row, from, to)) continue;
    for (const auto& environment : row.consumption.environments()) {
      if (!environment_id.empty() &&
          environment.environment_id() != environment_id) {
        continue;
      }
      sums.new_problems += environment.new_problems();
      sums.rum_sessions += environment.rum_sessions();
      for (const auto& monitor : environment.synthetic_monitors()) {
        sums.synthetic_executions +=
            monitor.success_count() + monitor.failure_count();
      }
      for (const auto& meter : environment.meters()) {
        meters[{meter.meter_id(), meter.unit()}] += meter.quantity();
      }
    }
  }
  for (const auto& [key, quantity] : meters) {
    sums.meters.push_back({key.first, key.second, quantity});
  }
  return sums;
}

absl::StatusOr<std::vector<NodePresence>> FakeSession::ListPresence(
    std::string_view cluster_id) {
  std::vector<NodePresence> nodes;
  for (const auto& [position, row] : state_.presence) {
    if (row.cluster_id == cluster_id) nodes.push_back(row);
  }
  return nodes;
}

absl::StatusOr<Paged<ExchangeCount>> FakeSession::ListExchangeCounts(
    std::string_view cluster_id, const Page& page) {
  return ListRows(state_.exchange_counts, page, false,
                  [&](const ExchangeCount& row) {
                    return cluster_id.empty() || row.cluster_id == cluster_id;
                  });
}

absl::StatusOr<Release> FakeSession::GetRelease(std::string_view id) {
  return Found(FindRow(state_.releases,
                       [&](const Release& row) { return row.id == id; }));
}

absl::StatusOr<Paged<Release>> FakeSession::ListReleases(
    v1::Component component, const Page& page) {
  return ListRows(state_.releases, page, true, [&](const Release& row) {
    return component == v1::COMPONENT_UNSPECIFIED ||
           row.document.component() == component;
  });
}

absl::StatusOr<uint64_t> FakeSession::ServiceEpoch() {
  return state_.service_epoch;
}

}  // namespace mc::service

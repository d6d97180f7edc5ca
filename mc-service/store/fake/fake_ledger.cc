#include <algorithm>
#include <utility>

#include "google/protobuf/util/message_differencer.h"
#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {
namespace {

absl::Status NotThere() {
  return absl::NotFoundError("it is not in the store");
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) +
         absl::Nanoseconds(time.nanos());
}

bool InHour(absl::Time time, absl::Time hour) {
  return time >= hour && time < hour + absl::Hours(1);
}

bool StartsInHour(const StoredConsumption& row, absl::Time hour) {
  const v1::TimeFrame& frame = row.consumption.time_frame();
  return frame.has_start() && InHour(ToTime(frame.start()), hour);
}

absl::Status NegativeError() {
  return absl::InvalidArgumentError("a quantity below nothing");
}

// Adds to what is in a row; it never gets below nothing.
absl::Status Add(int64_t& quantity, int64_t more) {
  if (quantity + more < 0) return NegativeError();
  quantity += more;
  return absl::OkStatus();
}

auto MeterKey(const UsageTotal& total) {
  return std::make_tuple(int{total.meter}, total.meter_id, total.unit);
}

}  // namespace

absl::StatusOr<std::vector<LicenseTerms>> FakeSession::ListLicenseTerms(
    std::string_view license_id) {
  const auto terms = state_.terms.find(license_id);
  if (terms == state_.terms.end()) return NotThere();
  return terms->second;
}

absl::StatusOr<std::vector<ReportedFrame>> FakeSession::FramesOfHour(
    std::string_view cluster_id, absl::Time hour) {
  if (!GetCluster(cluster_id).ok()) return NotThere();
  std::vector<ReportedFrame> frames;
  for (const auto& [key, reports] : state_.frames) {
    const auto& [cluster, start, end, epoch] = key;
    if (cluster == cluster_id && InHour(start, hour)) {
      frames.push_back({start, end, epoch, reports});
    }
  }
  return frames;
}

absl::StatusOr<std::optional<absl::Time>> FakeSession::NextLedgerTime(
    std::string_view cluster_id, absl::Time from) {
  if (!GetCluster(cluster_id).ok()) return NotThere();
  std::optional<absl::Time> next;
  const auto found = [&](absl::Time start) {
    if (start >= from && (!next.has_value() || start < *next)) next = start;
  };
  for (const auto& [key, reports] : state_.frames) {
    if (std::get<0>(key) == cluster_id) found(std::get<1>(key));
  }
  for (const auto& [position, entry] : state_.entries) {
    if (entry.cluster_id == cluster_id) found(entry.start);
  }
  return next;
}

absl::StatusOr<Paged<StoredConsumption>> FakeSession::ReportsOfHour(
    std::string_view cluster_id, absl::Time hour, const Page& page) {
  if (!GetCluster(cluster_id).ok()) return NotThere();
  return ListRows(
      state_.consumption, page, false, [&](const StoredConsumption& row) {
        return row.key.cluster_id == cluster_id && StartsInHour(row, hour);
      });
}

absl::StatusOr<std::vector<MonitoredInterval>> FakeSession::HostIntervals(
    std::string_view cluster_id, std::string_view environment_id,
    std::string_view host_id, absl::Time hour) {
  if (!GetCluster(cluster_id).ok()) return NotThere();
  std::vector<MonitoredInterval> intervals;
  for (const auto& [position, row] : state_.consumption) {
    if (row.key.cluster_id != cluster_id || !StartsInHour(row, hour)) continue;
    for (const auto& environment : row.consumption.environments()) {
      if (environment.environment_id() != environment_id) continue;
      for (const auto& host : environment.hosts()) {
        if (host.host_id() != host_id) continue;
        for (const auto& frame : host.monitored()) {
          intervals.push_back(
              {row.key.epoch, ToTime(frame.start()), ToTime(frame.end())});
        }
      }
    }
  }
  return intervals;
}

absl::StatusOr<HostHour> FakeSession::GetHostHour(
    std::string_view cluster_id, std::string_view environment_id,
    std::string_view host_id, absl::Time hour) {
  const auto row = state_.host_hours.find({std::string(cluster_id),
                                           std::string(environment_id),
                                           std::string(host_id), hour});
  return Found(row == state_.host_hours.end() ? nullptr : &row->second);
}

absl::StatusOr<LedgerEntry> FakeSession::GetLedgerEntry(
    std::string_view cluster_id, const UsageIdentity& identity,
    absl::Time start, absl::Time end) {
  return Found(FindRow(state_.entries, [&](const LedgerEntry& row) {
    return row.cluster_id == cluster_id && row.identity == identity &&
           row.start == start && row.end == end;
  }));
}

absl::StatusOr<std::vector<LedgerEntry>> FakeSession::LedgerEntriesOfHour(
    std::string_view cluster_id, absl::Time hour) {
  if (!GetCluster(cluster_id).ok()) return NotThere();
  std::vector<LedgerEntry> entries;
  for (const auto& [position, row] : state_.entries) {
    if (row.cluster_id == cluster_id && InHour(row.start, hour)) {
      entries.push_back(row);
    }
  }
  return entries;
}

absl::StatusOr<Paged<LedgerEntry>> FakeSession::ListLedgerEntries(
    const LedgerFilter& filter, const Page& page) {
  return ListRows(state_.entries, page, false, [&](const LedgerEntry& row) {
    return (filter.account_id.empty() || row.account_id == filter.account_id) &&
           (filter.license_id.empty() || row.license_id == filter.license_id) &&
           (filter.cluster_id.empty() || row.cluster_id == filter.cluster_id) &&
           (filter.environment_id.empty() ||
            row.identity.environment_id == filter.environment_id) &&
           row.start >= filter.from && row.start < filter.to;
  });
}

absl::StatusOr<std::vector<UsageTotal>> FakeSession::SumLedgerEntries(
    std::string_view license_id, std::string_view cluster_id, absl::Time from,
    absl::Time to) {
  std::map<std::tuple<std::string, int, std::string, std::string>, UsageTotal>
      sums;
  for (const auto& [position, row] : state_.entries) {
    if (row.license_id != license_id || row.cluster_id != cluster_id ||
        row.start < from || row.start >= to || row.quantity == 0) {
      continue;
    }
    const UsageIdentity& id = row.identity;
    UsageTotal& sum = sums[{id.environment_id, id.meter, id.meter_id, id.unit}];
    const int64_t quantity = sum.quantity + row.quantity;
    sum = {"",       row.license_id, row.cluster_id, id.environment_id,
           id.meter, id.meter_id,    id.unit,        from,
           to,       quantity};
  }
  std::vector<UsageTotal> totals;
  for (auto& [key, sum] : sums) totals.push_back(std::move(sum));
  return totals;
}

absl::StatusOr<Paged<UsageTotal>> FakeSession::ListUsageTotals(
    const LedgerFilter& filter, const Page& page) {
  return ListRows(state_.totals, page, true, [&](const UsageTotal& row) {
    return (filter.account_id.empty() || row.account_id == filter.account_id) &&
           (filter.license_id.empty() || row.license_id == filter.license_id) &&
           (filter.cluster_id.empty() || row.cluster_id == filter.cluster_id) &&
           (filter.environment_id.empty() ||
            row.environment_id == filter.environment_id) &&
           row.period_end > filter.from && row.period_start < filter.to;
  });
}

absl::StatusOr<std::vector<UsageTotal>> FakeSession::UsageTotals(
    std::string_view license_id, absl::Time period_start,
    std::string_view cluster_id, std::string_view environment_id) {
  std::vector<UsageTotal> totals;
  for (const auto& [position, row] : state_.totals) {
    if (row.license_id == license_id && row.period_start == period_start &&
        row.cluster_id == cluster_id &&
        (environment_id.empty() || row.environment_id == environment_id)) {
      totals.push_back(row);
    }
  }
  std::sort(totals.begin(), totals.end(),
            [](const UsageTotal& a, const UsageTotal& b) {
              return std::make_pair(a.environment_id, MeterKey(a)) <
                     std::make_pair(b.environment_id, MeterKey(b));
            });
  return totals;
}

absl::StatusOr<std::vector<LicenseTotal>> FakeSession::LicenseTotals(
    std::string_view license_id, absl::Time period_start) {
  std::vector<LicenseTotal> totals;
  for (const auto& [key, total] : state_.license_totals) {
    if (std::get<0>(key) == license_id && std::get<1>(key) == period_start) {
      totals.push_back(total);
    }
  }
  return totals;
}

absl::StatusOr<std::vector<LicenseTotal>> FakeSession::SumUsageTotals(
    std::string_view license_id, absl::Time period_start) {
  std::map<std::tuple<int, std::string, std::string>, LicenseTotal> sums;
  for (const auto& [position, row] : state_.totals) {
    if (row.license_id != license_id || row.period_start != period_start) {
      continue;
    }
    LicenseTotal& sum = sums[MeterKey(row)];
    sum = {row.meter,        row.meter_id,   row.unit,
           row.period_start, row.period_end, sum.quantity + row.quantity,
           /*overage=*/0};
  }
  std::vector<LicenseTotal> totals;
  for (auto& [key, sum] : sums) totals.push_back(std::move(sum));
  return totals;
}

absl::StatusOr<std::vector<absl::Time>> FakeSession::LicensePeriods(
    std::string_view license_id) {
  std::vector<absl::Time> periods;
  for (const auto& [key, total] : state_.license_totals) {
    if (std::get<0>(key) == license_id) periods.push_back(std::get<1>(key));
  }
  for (const auto& [position, row] : state_.totals) {
    if (row.license_id == license_id) periods.push_back(row.period_start);
  }
  std::sort(periods.begin(), periods.end());
  periods.erase(std::unique(periods.begin(), periods.end()), periods.end());
  return periods;
}

absl::StatusOr<std::vector<HostUnitHour>> FakeSession::LicenseHours(
    std::string_view license_id, absl::Time from, absl::Time to) {
  std::vector<HostUnitHour> hours;
  for (const auto& [key, units] : state_.license_hours) {
    if (key.first == license_id && key.second >= from && key.second < to &&
        units > 0) {
      hours.push_back({key.second, units});
    }
  }
  return hours;
}

absl::StatusOr<std::vector<HostUnitHour>> FakeSession::SumEnvironmentHours(
    std::string_view license_id, absl::Time from, absl::Time to) {
  std::map<absl::Time, int64_t> sums;
  for (const auto& [key, units] : state_.environment_hours) {
    const auto& [cluster, environment, hour, license] = key;
    if (license == license_id && hour >= from && hour < to && units > 0) {
      sums[hour] += units;
    }
  }
  std::vector<HostUnitHour> hours;
  for (const auto& [hour, units] : sums) hours.push_back({hour, units});
  return hours;
}

absl::StatusOr<std::optional<HostUnitHour>> FakeSession::LastLicenseHour(
    std::string_view license_id, absl::Time from, absl::Time to) {
  const auto hours = LicenseHours(license_id, from, to);
  if (hours->empty()) return std::nullopt;
  return hours->back();
}

absl::StatusOr<std::vector<EnvironmentHour>> FakeSession::EnvironmentHours(
    std::string_view cluster_id, absl::Time at) {
  std::vector<EnvironmentHour> hours;
  for (const auto& [key, units] : state_.environment_hours) {
    const auto& [cluster, environment, hour, license] = key;
    if (cluster == cluster_id && hour == at && units > 0) {
      hours.push_back({license, environment, units});
    }
  }
  return hours;
}

absl::StatusOr<std::optional<HostUnitHour>> FakeSession::LastEnvironmentHour(
    std::string_view license_id, std::string_view cluster_id,
    std::string_view environment_id, absl::Time from, absl::Time to) {
  std::optional<HostUnitHour> last;
  for (const auto& [key, units] : state_.environment_hours) {
    const auto& [cluster, environment, hour, license] = key;
    if (cluster == cluster_id && environment == environment_id &&
        license == license_id && hour >= from && hour < to && units > 0) {
      last = HostUnitHour{hour, units};
    }
  }
  return last;
}

absl::StatusOr<std::vector<StoredConsumption>> FakeSession::UnenteredReports(
    int /*limit*/) {
  // There was never one without a ledger.
  return std::vector<StoredConsumption>();
}

absl::Status FakeSession::UpdateLicense(const License& license, absl::Time at) {
  License* row = FindRow(writable_->licenses, [&](const License& other) {
    return other.id == license.id;
  });
  if (row == nullptr) return NotThere();
  row->ends_at = license.ends_at;
  row->limits = license.limits;
  row->entitlements = license.entitlements;
  row->model = license.model;
  row->enrollment_policy = license.enrollment_policy;
  row->grace_period = license.grace_period;
  std::vector<LicenseTerms>& terms = writable_->terms[license.id];
  const LicenseTerms& last = terms.back();
  if (last.model == license.model &&
      google::protobuf::util::MessageDifferencer::Equals(last.limits,
                                                         license.limits)) {
    return absl::OkStatus();
  }
  terms.push_back({std::max(last.from + absl::Microseconds(1), at),
                   license.model, license.limits});
  return absl::OkStatus();
}

absl::Status FakeSession::AddReportedFrame(std::string_view cluster_id,
                                           const ReportedFrame& frame) {
  if (!GetCluster(cluster_id).ok()) return NotThere();
  ++writable_->frames[{std::string(cluster_id), frame.start, frame.end,
                       frame.epoch}];
  return absl::OkStatus();
}

absl::Status FakeSession::PutHostHour(const HostHour& host_hour) {
  if (FindCluster(host_hour.cluster_id) == nullptr ||
      !HasLicense(host_hour.license_id)) {
    return NotThere();
  }
  writable_->host_hours.insert_or_assign(
      {host_hour.cluster_id, host_hour.environment_id, host_hour.host_id,
       host_hour.hour},
      host_hour);
  return absl::OkStatus();
}

absl::Status FakeSession::PutLedgerEntry(const LedgerEntry& entry) {
  const License* license = FindLicense(entry.license_id);
  if (FindCluster(entry.cluster_id) == nullptr || license == nullptr) {
    return NotThere();
  }
  if (entry.quantity < 0) return NegativeError();
  LedgerEntry* row = FindRow(writable_->entries, [&](const LedgerEntry& other) {
    return other.cluster_id == entry.cluster_id &&
           other.identity == entry.identity && other.start == entry.start &&
           other.end == entry.end;
  });
  if (row == nullptr) {
    Append(writable_->entries, entry);
    writable_->entries.rbegin()->second.account_id = license->account_id;
    return absl::OkStatus();
  }
  row->quantity = entry.quantity;
  row->epoch = entry.epoch;
  row->sequence = entry.sequence;
  row->accepted_at = entry.accepted_at;
  row->parts = entry.parts;
  return absl::OkStatus();
}

absl::Status FakeSession::AddUsage(const UsageTotal& total) {
  const License* license = FindLicense(total.license_id);
  if (FindCluster(total.cluster_id) == nullptr || license == nullptr) {
    return NotThere();
  }
  UsageTotal* row = FindRow(writable_->totals, [&](const UsageTotal& other) {
    return other.license_id == total.license_id &&
           other.cluster_id == total.cluster_id &&
           other.environment_id == total.environment_id &&
           MeterKey(other) == MeterKey(total) &&
           other.period_start == total.period_start;
  });
  if (row == nullptr) {
    UsageTotal added = total;
    added.account_id = license->account_id;
    added.quantity = std::max<int64_t>(0, total.quantity);
    Append(writable_->totals, added);
  } else if (absl::Status s = Add(row->quantity, total.quantity); !s.ok()) {
    return s;
  }
  const LicenseTotal fresh = {
      total.meter,      total.meter_id,
      total.unit,       total.period_start,
      total.period_end, std::max<int64_t>(0, total.quantity),
      /*overage=*/0};
  const auto [sum, added] = writable_->license_totals.try_emplace(
      {total.license_id, total.period_start, total.meter, total.meter_id,
       total.unit},
      fresh);
  return added ? absl::OkStatus() : Add(sum->second.quantity, total.quantity);
}

absl::Status FakeSession::AddHostUnitOverage(std::string_view license_id,
                                             absl::Time period_start,
                                             absl::Time period_end,
                                             int64_t overage) {
  if (!HasLicense(license_id)) return NotThere();
  const auto [sum, added] = writable_->license_totals.try_emplace(
      {std::string(license_id), period_start, v1::METER_HOST_UNIT_HOURS_MILLI,
       "", ""},
      LicenseTotal{v1::METER_HOST_UNIT_HOURS_MILLI, "", "", period_start,
                   period_end, 0, std::max<int64_t>(0, overage)});
  return added ? absl::OkStatus() : Add(sum->second.overage, overage);
}

absl::Status FakeSession::AddHostUnits(std::string_view license_id,
                                       std::string_view cluster_id,
                                       std::string_view environment_id,
                                       const HostUnitHour& hour) {
  if (FindCluster(cluster_id) == nullptr || !HasLicense(license_id)) {
    return NotThere();
  }
  const auto add = [&](int64_t& units, bool added) {
    if (added) {
      units = std::max<int64_t>(0, hour.host_units_milli);
      return absl::OkStatus();
    }
    return Add(units, hour.host_units_milli);
  };
  const auto [mine, mine_added] = writable_->environment_hours.try_emplace(
      {std::string(cluster_id), std::string(environment_id), hour.hour,
       std::string(license_id)},
      0);
  if (absl::Status s = add(mine->second, mine_added); !s.ok()) return s;
  const auto [all, all_added] = writable_->license_hours.try_emplace(
      {std::string(license_id), hour.hour}, 0);
  return add(all->second, all_added);
}

absl::Status FakeSession::EndPeriods(std::string_view license_id,
                                     absl::Time at) {
  if (!HasLicense(license_id)) return NotThere();
  const auto cut = [at](absl::Time start, absl::Time& end) {
    if (start < at && end > at) end = at;
  };
  for (auto& [position, row] : writable_->totals) {
    if (row.license_id == license_id) cut(row.period_start, row.period_end);
  }
  for (auto& [key, row] : writable_->license_totals) {
    if (std::get<0>(key) == license_id) cut(row.period_start, row.period_end);
  }
  return absl::OkStatus();
}

absl::Status FakeSession::MarkEntered(int /*count*/) {
  return absl::OkStatus();
}

}  // namespace mc::service

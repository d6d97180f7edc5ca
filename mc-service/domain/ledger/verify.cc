#include "mc-service/domain/ledger/verify.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "mc-service/domain/consumption/host_units.h"
#include "mc-service/domain/ledger/merge.h"
#include "mc-service/domain/ledger/terms.h"
#include "mc-service/domain/ledger/usage.h"

namespace mc::service {
namespace {

constexpr int kReportsOfPage = 100;
constexpr int kRowsOfPage = 1000;

std::string Name(v1::Meter meter, const std::string& meter_id,
                 const std::string& unit) {
  std::string name = v1::Meter_Name(meter);
  if (!meter_id.empty()) absl::StrAppend(&name, " ", meter_id);
  if (!unit.empty()) absl::StrAppend(&name, " in ", unit);
  return name;
}

std::string UtcText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

// What the reports of one cluster and hour come to.
class ExpectedHour {
 public:
  explicit ExpectedHour(absl::Time hour) : hour_(hour) {}

  using Key = std::tuple<UsageIdentity, absl::Time, absl::Time>;
  struct Value {
    int64_t quantity = 0;
    // Of one of the reports.
    std::string license_id;
  };

  void Add(const StoredConsumption& report) {
    const v1::TimeFrame& frame = report.consumption.time_frame();
    const absl::Time start = TimeOf(frame.start());
    const absl::Time end = TimeOf(frame.end());
    ForEachCounter(report.consumption, [&](const UsageIdentity& identity,
                                           int64_t quantity) {
      Counter& counter = counters_[identity][{start, end}];
      if (counter.license_id.empty()) {
        counter.license_id = report.license_id;
      }
      AddPart(counter.parts, report.key.epoch, quantity);
      return absl::OkStatus();
    }).IgnoreError();
    for (const v1::EnvironmentConsumption& e :
         report.consumption.environments()) {
      for (const v1::HostConsumption& host : e.hosts()) {
        if (host.monitored().empty()) continue;
        Host& known = hosts_[HostIdentity(e.environment_id(), host.host_id())];
        if (known.license_id.empty()) known.license_id = report.license_id;
        const auto intervals = IntervalsOf(host, report.key.epoch);
        known.intervals.insert(known.intervals.end(), intervals.begin(),
                               intervals.end());
        known.weight =
            std::max(known.weight,
                     HostUnitsMilli(host.memory_bytes(), host.host_category()));
      }
    }
  }

  std::map<Key, Value> Entries() const {
    std::map<Key, Value> entries;
    for (const auto& [identity, times] : counters_) {
      std::vector<FrameUsage> frames;
      for (const auto& [time, counter] : times) {
        FrameUsage& frame = frames.emplace_back();
        frame.start = time.first;
        frame.end = time.second;
        frame.parts = counter.parts;
      }
      MergeFrames(frames);
      for (const FrameUsage& frame : frames) {
        if (frame.quantity == 0) continue;
        entries[{identity, frame.start, frame.end}] = {
            frame.quantity, times.at({frame.start, frame.end}).license_id};
      }
    }
    const absl::Time end = hour_ + absl::Hours(1);
    for (const auto& [identity, host] : hosts_) {
      if (Covered(host.intervals, hour_, end) < kCountsFrom) continue;
      entries[{identity, hour_, end}] = {host.weight, host.license_id};
    }
    return entries;
  }

 private:
  struct Counter {
    std::vector<LedgerPart> parts;
    std::string license_id;
  };
  struct Host {
    std::vector<MonitoredInterval> intervals;
    int64_t weight = 0;
    std::string license_id;
  };

  const absl::Time hour_;
  std::map<UsageIdentity, std::map<std::pair<absl::Time, absl::Time>, Counter>>
      counters_;
  std::map<UsageIdentity, Host> hosts_;
};

class Verification {
 public:
  Verification(Store& store, std::string_view license_id)
      : store_(store), license_id_(license_id) {}

  absl::StatusOr<v1::VerifyLedgerResponse> Run() {
    absl::Status done =
        license_id_.empty() ? EachLicense() : VerifyLicense(license_id_);
    if (done.ok()) done = EachCluster();
    if (!done.ok()) return done;
    return std::move(result_);
  }

 private:
  // Runs `read(reader, page)`, which returns where it goes on, until the end.
  template <typename Read>
  absl::Status EachPage(int size, Read read) {
    for (Page page{.limit = size};;) {
      std::optional<int64_t> next;
      absl::Status done = store_.Read([&](Reader& reader) -> absl::Status {
        absl::StatusOr<std::optional<int64_t>> found = read(reader, page);
        if (!found.ok()) return found.status();
        next = *found;
        return absl::OkStatus();
      });
      if (!done.ok() || !next.has_value()) return done;
      page.after = *next;
    }
  }

  absl::Status EachLicense() {
    std::vector<std::string> licenses;
    absl::Status done = EachPage(
        kRowsOfPage,
        [&](Reader& reader,
            const Page& page) -> absl::StatusOr<std::optional<int64_t>> {
          auto rows = reader.ListLicenses("", page);
          if (!rows.ok()) return rows.status();
          for (const License& row : rows->items) licenses.push_back(row.id);
          return rows->next;
        });
    for (const std::string& license : licenses) {
      if (!done.ok()) break;
      done = VerifyLicense(license);
    }
    return done;
  }

  absl::Status EachCluster() {
    std::set<std::string> clusters;
    ClusterFilter filter;
    filter.license_id = license_id_;
    absl::Status done = EachPage(
        kRowsOfPage,
        [&](Reader& reader,
            const Page& page) -> absl::StatusOr<std::optional<int64_t>> {
          auto rows = reader.ListClusters(filter, page);
          if (!rows.ok()) return rows.status();
          for (const auto& row : rows->items) clusters.insert(row.cluster.id);
          return rows->next;
        });
    // Also those that have moved to another license since.
    LedgerFilter totals;
    totals.license_id = license_id_;
    if (done.ok() && !license_id_.empty()) {
      done = EachPage(
          kRowsOfPage,
          [&](Reader& reader,
              const Page& page) -> absl::StatusOr<std::optional<int64_t>> {
            auto rows = reader.ListUsageTotals(totals, page);
            if (!rows.ok()) return rows.status();
            for (const auto& row : rows->items) clusters.insert(row.cluster_id);
            return rows->next;
          });
    }
    for (const std::string& cluster : clusters) {
      if (done.ok()) done = EachHour(cluster);
      if (done.ok()) done = EachPeriod(cluster);
    }
    return done;
  }

  absl::Status EachHour(const std::string& cluster) {
    for (absl::Time from = absl::InfinitePast();;) {
      std::optional<absl::Time> next;
      absl::Status done = store_.Read([&](Reader& reader) -> absl::Status {
        auto found = reader.NextLedgerTime(cluster, from);
        if (!found.ok()) return found.status();
        next = *found;
        if (!next.has_value()) return absl::OkStatus();
        return VerifyHour(reader, cluster, HourOf(*next));
      });
      if (!done.ok() || !next.has_value()) return done;
      from = HourOf(*next) + absl::Hours(1);
    }
  }

  absl::Status VerifyHour(Reader& reader, const std::string& cluster,
                          absl::Time hour) {
    auto frames = reader.FramesOfHour(cluster, hour);
    if (!frames.ok()) return frames.status();
    int64_t accepted = 0;
    for (const ReportedFrame& frame : *frames) accepted += frame.reports;
    ExpectedHour expected(hour);
    int64_t kept = 0;
    for (Page page{.limit = kReportsOfPage};;) {
      auto reports = reader.ReportsOfHour(cluster, hour, page);
      if (!reports.ok()) return reports.status();
      for (const StoredConsumption& report : reports->items) {
        expected.Add(report);
      }
      kept += static_cast<int64_t>(reports->items.size());
      if (!reports->next.has_value()) break;
      page.after = *reports->next;
    }
    auto entries = reader.LedgerEntriesOfHour(cluster, hour);
    if (!entries.ok()) return entries.status();
    result_.set_checked_reports(result_.checked_reports() + kept);
    result_.set_checked_entries(result_.checked_entries() +
                                static_cast<int64_t>(entries->size()));
    const std::string where =
        absl::StrCat("cluster ", cluster, ", hour ", UtcText(hour));
    if (kept > accepted) {
      Differ("", absl::StrCat(where, ": reports that are not in the ledger"),
             kept, accepted);
    }
    // Retention takes reports away, and never adds any.
    if (kept >= accepted) CompareEntries(where, expected.Entries(), *entries);
    return CompareHours(reader, where, cluster, hour, *entries);
  }

  void CompareEntries(const std::string& where,
                      std::map<ExpectedHour::Key, ExpectedHour::Value> expected,
                      const std::vector<LedgerEntry>& entries) {
    const auto describe = [&](const UsageIdentity& id) {
      return absl::StrCat(
          "entry of ", where, ", environment ", id.environment_id, ", ",
          Name(id.meter, id.meter_id, id.unit),
          id.resource_id.empty() ? "" : absl::StrCat(" of ", id.resource_id));
    };
    for (const LedgerEntry& entry : entries) {
      const auto reported =
          expected.find({entry.identity, entry.start, entry.end});
      int64_t quantity = 0;
      if (reported != expected.end()) {
        quantity = reported->second.quantity;
        expected.erase(reported);
      }
      if (entry.quantity != quantity) {
        Differ(entry.license_id, describe(entry.identity), quantity,
               entry.quantity);
      }
    }
    for (const auto& [key, value] : expected) {
      Differ(value.license_id, describe(std::get<0>(key)), value.quantity, 0);
    }
  }

  // Host units of the environments in the hour.
  absl::Status CompareHours(Reader& reader, const std::string& where,
                            const std::string& cluster, absl::Time hour,
                            const std::vector<LedgerEntry>& entries) {
    // Expected and found, by license and environment.
    std::map<std::pair<std::string, std::string>, std::pair<int64_t, int64_t>>
        units;
    for (const LedgerEntry& entry : entries) {
      if (entry.identity.meter == v1::METER_HOST_UNIT_HOURS_MILLI) {
        units[{entry.license_id, entry.identity.environment_id}].first +=
            entry.quantity;
      }
    }
    auto hours = reader.EnvironmentHours(cluster, hour);
    if (!hours.ok()) return hours.status();
    for (const EnvironmentHour& row : *hours) {
      units[{row.license_id, row.environment_id}].second +=
          row.host_units_milli;
    }
    for (const auto& [key, sums] : units) {
      Compare(
          key.first,
          [&, &key = key] {
            return absl::StrCat("host units of ", where, ", environment ",
                                key.second);
          },
          sums.first, sums.second);
    }
    return absl::OkStatus();
  }

  // Totals of a cluster against its entries, for each of its licenses.
  absl::Status EachPeriod(const std::string& cluster) {
    // What the totals say of periods, by license.
    std::set<std::tuple<std::string, absl::Time, absl::Time>> periods;
    LedgerFilter filter;
    filter.cluster_id = cluster;
    filter.license_id = license_id_;
    absl::Status done = EachPage(
        kRowsOfPage,
        [&](Reader& reader,
            const Page& page) -> absl::StatusOr<std::optional<int64_t>> {
          auto rows = reader.ListUsageTotals(filter, page);
          if (!rows.ok()) return rows.status();
          for (const UsageTotal& row : rows->items) {
            periods.emplace(row.license_id, row.period_start, row.period_end);
          }
          return rows->next;
        });
    if (!done.ok()) return done;
    done = AddPeriodsOfEntries(cluster, periods);
    for (const auto& period : periods) {
      if (!done.ok()) break;
      done = store_.Read([&](Reader& reader) {
        const auto& [license, start, end] = period;
        return VerifyPeriod(reader, cluster, license, start, end);
      });
    }
    return done;
  }

  // The periods of which a cluster has entries, for its license of now: there
  // may be no total where there should be one.
  absl::Status AddPeriodsOfEntries(
      const std::string& cluster,
      std::set<std::tuple<std::string, absl::Time, absl::Time>>& periods) {
    return store_.Read([&](Reader& reader) -> absl::Status {
      auto row = reader.GetCluster(cluster);
      if (!row.ok()) return row.status();
      if (!license_id_.empty() && row->license_id != license_id_) {
        return absl::OkStatus();
      }
      auto license = reader.GetLicense(row->license_id);
      if (!license.ok()) return license.status();
      auto terms = reader.ListLicenseTerms(license->id);
      if (!terms.ok()) return terms.status();
      auto next = reader.NextLedgerTime(cluster, absl::InfinitePast());
      while (next.ok() && next->has_value()) {
        const Period period = QuotaPeriodAt(*license, *terms, **next);
        periods.emplace(license->id, period.start, period.end);
        next = reader.NextLedgerTime(cluster, period.end);
      }
      return next.status();
    });
  }

  absl::Status VerifyPeriod(Reader& reader, const std::string& cluster,
                            const std::string& license_id, absl::Time start,
                            absl::Time end) {
    auto sums = reader.SumLedgerEntries(license_id, cluster, start, end);
    if (!sums.ok()) return sums.status();
    auto totals = reader.UsageTotals(license_id, start, cluster, "");
    if (!totals.ok()) return totals.status();
    // Expected and found.
    std::map<std::tuple<std::string, v1::Meter, std::string, std::string>,
             std::pair<int64_t, int64_t>>
        meters;
    const auto key = [](const UsageTotal& t) {
      return std::make_tuple(t.environment_id, t.meter, t.meter_id, t.unit);
    };
    for (const UsageTotal& sum : *sums) meters[key(sum)].first = sum.quantity;
    for (const UsageTotal& t : *totals) meters[key(t)].second = t.quantity;
    for (const auto& [meter, quantity] : meters) {
      Compare(
          license_id,
          [&, &meter = meter] {
            return absl::StrCat("total of cluster ", cluster, ", environment ",
                                std::get<0>(meter), ", ",
                                Name(std::get<1>(meter), std::get<2>(meter),
                                     std::get<3>(meter)),
                                ", period from ", UtcText(start));
          },
          quantity.first, quantity.second);
    }
    return absl::OkStatus();
  }

  absl::Status VerifyLicense(const std::string& license_id) {
    std::vector<absl::Time> periods;
    License license;
    absl::Status done = store_.Read([&](Reader& reader) -> absl::Status {
      auto row = reader.GetLicense(license_id);
      if (!row.ok()) return row.status();
      license = *std::move(row);
      auto starts = reader.LicensePeriods(license_id);
      if (!starts.ok()) return starts.status();
      periods = *std::move(starts);
      return absl::OkStatus();
    });
    for (const absl::Time start : periods) {
      if (!done.ok()) break;
      done = store_.Read([&](Reader& reader) {
        return VerifyLicensePeriod(reader, license, start);
      });
    }
    return done;
  }

  absl::Status VerifyLicensePeriod(Reader& reader, const License& license,
                                   absl::Time start) {
    auto sums = reader.SumUsageTotals(license.id, start);
    if (!sums.ok()) return sums.status();
    auto totals = reader.LicenseTotals(license.id, start);
    if (!totals.ok()) return totals.status();
    auto terms = reader.ListLicenseTerms(license.id);
    if (!terms.ok()) return terms.status();
    const Period period = QuotaPeriodAt(license, *terms, start);
    auto hours = reader.LicenseHours(license.id, period.start, period.end);
    if (!hours.ok()) return hours.status();
    auto hour_sums =
        reader.SumEnvironmentHours(license.id, period.start, period.end);
    if (!hour_sums.ok()) return hour_sums.status();

    std::map<std::tuple<v1::Meter, std::string, std::string>,
             std::pair<int64_t, int64_t>>
        meters;
    int64_t found_overage = 0;
    for (const LicenseTotal& t : *sums) {
      meters[{t.meter, t.meter_id, t.unit}].first = t.quantity;
    }
    for (const LicenseTotal& t : *totals) {
      meters[{t.meter, t.meter_id, t.unit}].second = t.quantity;
      found_overage += t.overage;
    }
    const auto total_of = [&](const std::string& what) {
      return absl::StrCat("total of the license, ", what, ", period from ",
                          UtcText(start));
    };
    for (const auto& [meter, quantity] : meters) {
      Compare(
          license.id,
          [&, &meter = meter] {
            return total_of(Name(std::get<0>(meter), std::get<1>(meter),
                                 std::get<2>(meter)));
          },
          quantity.first, quantity.second);
    }
    std::map<absl::Time, std::pair<int64_t, int64_t>> units;
    int64_t expected_overage = 0;
    for (const HostUnitHour& hour : *hour_sums) {
      units[hour.hour].first = hour.host_units_milli;
      expected_overage += HostUnitOverage(*terms, hour);
    }
    for (const HostUnitHour& hour : *hours) {
      units[hour.hour].second = hour.host_units_milli;
    }
    for (const auto& [hour, quantity] : units) {
      Compare(
          license.id,
          [&, at = hour] {
            return absl::StrCat("host units of the license, hour ",
                                UtcText(at));
          },
          quantity.first, quantity.second);
    }
    Compare(
        license.id, [&] { return total_of("overage of host-unit-hours"); },
        expected_overage, found_overage);
    return absl::OkStatus();
  }

  template <typename Describe>
  void Compare(const std::string& license_id, Describe describe,
               int64_t expected, int64_t found) {
    result_.set_checked_totals(result_.checked_totals() + 1);
    if (expected != found) Differ(license_id, describe(), expected, found);
  }

  void Differ(const std::string& license_id, std::string message,
              int64_t expected, int64_t found) {
    if (!license_id_.empty() && !license_id.empty() &&
        license_id != license_id_) {
      return;
    }
    if (result_.differences_size() >= kMaxDifferences) return;
    v1::LedgerDifference* difference = result_.add_differences();
    difference->set_license_id(license_id);
    difference->set_message(std::move(message));
    difference->set_expected(expected);
    difference->set_found(found);
  }

  Store& store_;
  // Empty: all.
  const std::string license_id_;
  v1::VerifyLedgerResponse result_;
};

}  // namespace

absl::StatusOr<v1::VerifyLedgerResponse> VerifyLedger(
    Store& store, std::string_view license_id) {
  return Verification(store, license_id).Run();
}

}  // namespace mc::service

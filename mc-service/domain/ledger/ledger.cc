#include "mc-service/domain/ledger/ledger.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "mc-service/domain/consumption/host_units.h"
#include "mc-service/domain/ledger/merge.h"
#include "mc-service/domain/ledger/terms.h"
#include "mc-service/domain/ledger/usage.h"
#include "mc-service/store/finding_types.h"

namespace mc::service {
namespace {

// Reports of one work of the backlog.
constexpr int kBacklogWork = 100;

bool Overlap(absl::Time a_start, absl::Time a_end, absl::Time b_start,
             absl::Time b_end) {
  return a_start < b_end && b_start < a_end;
}

int64_t CountedUnits(const HostHour& hour) {
  return hour.monitored >= kCountsFrom ? hour.host_units_milli : 0;
}

std::string Describe(const UsageIdentity& identity) {
  std::string text = absl::StrCat("environment ", identity.environment_id, ", ",
                                  v1::Meter_Name(identity.meter));
  if (!identity.meter_id.empty()) {
    absl::StrAppend(&text, " ", identity.meter_id);
  }
  if (!identity.resource_id.empty()) {
    absl::StrAppend(&text, " of ", identity.resource_id);
  }
  return text;
}

// One report on its way into the ledger.
class Entering {
 public:
  Entering(Writer& writer, const License& license,
           const std::vector<LicenseTerms>& terms,
           const StoredConsumption& report, const LedgerOptions& options)
      : writer_(writer), report_(report), options_(options) {
    licenses_.emplace(license.id, Held{license, terms});
    entry_.license_id = license.id;
    entry_.cluster_id = report.key.cluster_id;
    entry_.start = TimeOf(report.consumption.time_frame().start());
    entry_.end = TimeOf(report.consumption.time_frame().end());
    entry_.epoch = report.key.epoch;
    entry_.sequence = report.key.sequence;
    entry_.accepted_at = report.accepted_at;
    hour_ = HourOf(entry_.start);
    overlap_.key = report.key;
    overlap_.license_id = license.id;
    overlap_.start = entry_.start;
    overlap_.end = entry_.end;
    overlap_.accepted_at = entry_.accepted_at;
  }

  absl::Status Run() {
    absl::Status done = ReadFrames();
    if (done.ok()) {
      done = ForEachCounter(report_.consumption,
                            [this](const UsageIdentity& id, int64_t quantity) {
                              return EnterCounter(id, quantity);
                            });
    }
    if (done.ok()) done = EnterHosts();
    if (done.ok()) done = AddTotals();
    if (done.ok()) done = AddHostUnits();
    if (done.ok()) {
      done = writer_.AddReportedFrame(
          entry_.cluster_id, {entry_.start, entry_.end, entry_.epoch, 1});
    }
    if (done.ok() && overlap_.identities > 0) {
      done = options_.on_overlap(writer_, overlap_);
    }
    return done;
  }

 private:
  // A license that entries of this report belong to.
  struct Held {
    License license;
    std::vector<LicenseTerms> terms;
  };
  // License, time, environment, meter, ID, unit.
  using TotalKey = std::tuple<std::string, absl::Time, std::string, v1::Meter,
                              std::string, std::string>;

  absl::Status ReadFrames() {
    absl::StatusOr<std::vector<ReportedFrame>> frames =
        writer_.FramesOfHour(entry_.cluster_id, hour_);
    if (!frames.ok()) return frames.status();
    absl::Time reached = absl::InfinitePast();
    for (const ReportedFrame& frame : *frames) {
      const bool overlaps =
          Overlap(frame.start, frame.end, entry_.start, entry_.end);
      other_epoch_overlaps_ |= overlaps && frame.epoch != entry_.epoch;
      same_frame_ |= frame.start == entry_.start && frame.end == entry_.end;
      // Frames that follow each other, each reported once: intervals add up.
      intervals_overlap_ |=
          overlaps || frame.start < reached || frame.reports > 1;
      reached = std::max(reached, frame.end);
    }
    first_of_hour_ = frames->empty();
    return absl::OkStatus();
  }

  absl::Status EnterCounter(const UsageIdentity& identity, int64_t quantity) {
    if (other_epoch_overlaps_) return MergeCounter(identity, quantity);
    entry_.identity = identity;
    entry_.quantity = quantity;
    std::string license_id = entry_.license_id;
    if (same_frame_) {
      absl::StatusOr<LedgerEntry> before = writer_.GetLedgerEntry(
          entry_.cluster_id, identity, entry_.start, entry_.end);
      if (before.ok()) {
        entry_.quantity += before->quantity;
        license_id = std::move(before->license_id);
      } else if (!absl::IsNotFound(before.status())) {
        return before.status();
      }
    }
    Count(license_id, entry_.start, identity, quantity);
    return writer_.PutLedgerEntry(entry_);
  }

  absl::Status MergeCounter(const UsageIdentity& identity, int64_t quantity) {
    if (!entries_of_hour_.has_value()) {
      absl::StatusOr<std::vector<LedgerEntry>> entries =
          writer_.LedgerEntriesOfHour(entry_.cluster_id, hour_);
      if (!entries.ok()) return entries.status();
      entries_of_hour_.emplace();
      for (LedgerEntry& entry : *entries) {
        (*entries_of_hour_)[entry.identity].push_back(std::move(entry));
      }
    }
    std::vector<LedgerEntry>& entries = (*entries_of_hour_)[identity];
    auto mine = std::find_if(
        entries.begin(), entries.end(), [this](const LedgerEntry& entry) {
          return entry.start == entry_.start && entry.end == entry_.end;
        });
    if (mine == entries.end()) {
      LedgerEntry added = entry_;
      added.identity = identity;
      added.quantity = 0;
      mine = entries.insert(entries.end(), std::move(added));
    }
    std::vector<FrameUsage> frames;
    for (const LedgerEntry& entry : entries) {
      FrameUsage& frame = frames.emplace_back();
      frame.start = entry.start;
      frame.end = entry.end;
      frame.parts = entry.parts;
      if (entry.parts.empty()) {
        frame.parts.push_back({entry.epoch, entry.quantity});
      }
    }
    const size_t own = mine - entries.begin();
    AddPart(frames[own].parts, entry_.epoch, quantity);
    MergeFrames(frames);
    if (frames[own].disputed) Flag(identity);
    mine->epoch = entry_.epoch;
    mine->sequence = entry_.sequence;
    mine->accepted_at = entry_.accepted_at;
    for (size_t i = 0; i < frames.size(); ++i) {
      LedgerEntry& entry = entries[i];
      if (!frames[i].disputed) frames[i].parts.clear();
      if (i != own && entry.quantity == frames[i].quantity &&
          entry.parts == frames[i].parts) {
        continue;
      }
      Count(entry.license_id, entry.start, identity,
            frames[i].quantity - entry.quantity);
      entry.quantity = frames[i].quantity;
      entry.parts = std::move(frames[i].parts);
      if (absl::Status s = writer_.PutLedgerEntry(entry); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status EnterHosts() {
    for (const v1::EnvironmentConsumption& e :
         report_.consumption.environments()) {
      for (const v1::HostConsumption& host : e.hosts()) {
        if (host.monitored().empty()) continue;
        absl::Status done = EnterHost(e.environment_id(), host);
        if (!done.ok()) return done;
      }
    }
    return absl::OkStatus();
  }

  absl::Status EnterHost(const std::string& environment,
                         const v1::HostConsumption& host) {
    HostHour now;
    now.license_id = entry_.license_id;
    now.cluster_id = entry_.cluster_id;
    now.environment_id = environment;
    now.host_id = host.host_id();
    now.hour = hour_;
    const std::vector<MonitoredInterval> intervals =
        IntervalsOf(host, entry_.epoch);
    now.monitored = Covered(intervals, hour_, hour_ + absl::Hours(1));
    now.host_units_milli =
        HostUnitsMilli(host.memory_bytes(), host.host_category());
    int64_t counted_before = 0;
    if (!first_of_hour_) {
      absl::StatusOr<HostHour> before =
          writer_.GetHostHour(now.cluster_id, environment, now.host_id, hour_);
      if (!before.ok() && !absl::IsNotFound(before.status())) {
        return before.status();
      }
      if (before.ok()) {
        now.license_id = before->license_id;
        now.host_units_milli =
            std::max(now.host_units_milli, before->host_units_milli);
        counted_before = CountedUnits(*before);
        if (!intervals_overlap_) now.monitored += before->monitored;
      }
      if (intervals_overlap_) {
        absl::Status united = UniteIntervals(intervals, now);
        if (!united.ok()) return united;
        // Reports of long ago may be gone.
        if (before.ok()) {
          now.monitored = std::max(now.monitored, before->monitored);
        }
      }
    }
    if (absl::Status s = writer_.PutHostHour(now); !s.ok()) return s;
    const int64_t counted = CountedUnits(now);
    if (counted == 0) return absl::OkStatus();
    LedgerEntry entry = entry_;
    entry.license_id = now.license_id;
    entry.identity = HostIdentity(environment, now.host_id);
    entry.start = hour_;
    entry.end = hour_ + absl::Hours(1);
    entry.quantity = counted;
    Count(entry.license_id, hour_, entry.identity, counted - counted_before);
    return writer_.PutLedgerEntry(entry);
  }

  // The union over all reports of the hour, this one among them.
  absl::Status UniteIntervals(const std::vector<MonitoredInterval>& reported,
                              HostHour& now) {
    absl::StatusOr<std::vector<MonitoredInterval>> intervals =
        writer_.HostIntervals(now.cluster_id, now.environment_id, now.host_id,
                              hour_);
    if (!intervals.ok()) return intervals.status();
    now.monitored = Covered(*intervals, hour_, hour_ + absl::Hours(1));
    if (!other_epoch_overlaps_) return absl::OkStatus();
    for (const MonitoredInterval& other : *intervals) {
      if (other.epoch == entry_.epoch) continue;
      for (const MonitoredInterval& mine : reported) {
        if (Overlap(other.start, other.end, mine.start, mine.end)) {
          Flag(HostIdentity(now.environment_id, now.host_id));
          return absl::OkStatus();
        }
      }
    }
    return absl::OkStatus();
  }

  void Flag(const UsageIdentity& identity) {
    if (overlap_.identities++ == 0) overlap_.example = Describe(identity);
  }

  void Count(const std::string& license_id, absl::Time at,
             const UsageIdentity& identity, int64_t quantity) {
    if (quantity == 0) return;
    totals_[{license_id, at, identity.environment_id, identity.meter,
             identity.meter_id, identity.unit}] += quantity;
    if (identity.meter == v1::METER_HOST_UNIT_HOURS_MILLI) {
      host_units_[license_id][identity.environment_id] += quantity;
    }
  }

  absl::StatusOr<const Held*> LicenseOf(const std::string& id) {
    auto held = licenses_.find(id);
    if (held == licenses_.end()) {
      absl::StatusOr<License> license = writer_.GetLicense(id);
      if (!license.ok()) return license.status();
      absl::StatusOr<std::vector<LicenseTerms>> terms =
          writer_.ListLicenseTerms(id);
      if (!terms.ok()) return terms.status();
      Held other = {*std::move(license), *std::move(terms)};
      held = licenses_.emplace(id, std::move(other)).first;
    }
    return &held->second;
  }

  absl::Status AddTotals() {
    for (const auto& [key, quantity] : totals_) {
      if (quantity == 0) continue;
      UsageTotal total;
      absl::Time at;
      std::tie(total.license_id, at, total.environment_id, total.meter,
               total.meter_id, total.unit) = key;
      absl::StatusOr<const Held*> held = LicenseOf(total.license_id);
      if (!held.ok()) return held.status();
      const Period period = QuotaPeriodAt((*held)->license, (*held)->terms, at);
      total.cluster_id = entry_.cluster_id;
      total.period_start = period.start;
      total.period_end = period.end;
      total.quantity = quantity;
      if (absl::Status s = writer_.AddUsage(total); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status AddHostUnits() {
    for (const auto& [license_id, environments] : host_units_) {
      absl::StatusOr<const Held*> held = LicenseOf(license_id);
      if (!held.ok()) return held.status();
      absl::StatusOr<std::vector<HostUnitHour>> before =
          writer_.LicenseHours(license_id, hour_, hour_ + absl::Hours(1));
      if (!before.ok()) return before.status();
      HostUnitHour units = {hour_, 0};
      if (!before->empty()) units = before->front();
      const int64_t overage_before = HostUnitOverage((*held)->terms, units);
      for (const auto& [environment, more] : environments) {
        absl::Status done = writer_.AddHostUnits(license_id, entry_.cluster_id,
                                                 environment, {hour_, more});
        if (!done.ok()) return done;
        units.host_units_milli += more;
      }
      const int64_t overage = HostUnitOverage((*held)->terms, units);
      if (overage == overage_before) continue;
      const Period period =
          QuotaPeriodAt((*held)->license, (*held)->terms, hour_);
      absl::Status done = writer_.AddHostUnitOverage(
          license_id, period.start, period.end, overage - overage_before);
      if (!done.ok()) return done;
    }
    return absl::OkStatus();
  }

  Writer& writer_;
  const StoredConsumption& report_;
  const LedgerOptions& options_;
  // What all entries of the report have in common.
  LedgerEntry entry_;
  absl::Time hour_;
  // What earlier reports of the hour mean for this one.
  bool first_of_hour_ = false;
  bool same_frame_ = false;
  bool other_epoch_overlaps_ = false;
  bool intervals_overlap_ = false;
  // Read once, where epochs overlap.
  std::optional<std::map<UsageIdentity, std::vector<LedgerEntry>>>
      entries_of_hour_;
  std::map<std::string, Held> licenses_;
  // What is to be added.
  std::map<TotalKey, int64_t> totals_;
  std::map<std::string, std::map<std::string, int64_t>> host_units_;
  UsageOverlap overlap_;
};

// Moves what the license's clusters used from `at` on into the periods in
// which it belongs now.
absl::Status MoveUsage(Writer& writer, const License& license,
                       const std::vector<LicenseTerms>& before,
                       const std::vector<LicenseTerms>& after, absl::Time at) {
  std::set<std::string> clusters;
  LedgerFilter filter;
  filter.license_id = license.id;
  filter.from = at;
  for (Page page{.limit = 1000};;) {
    absl::StatusOr<Paged<UsageTotal>> totals =
        writer.ListUsageTotals(filter, page);
    if (!totals.ok()) return totals.status();
    for (const UsageTotal& total : totals->items) {
      clusters.insert(total.cluster_id);
    }
    if (!totals->next.has_value()) break;
    page.after = *totals->next;
  }
  if (absl::Status s = writer.EndPeriods(license.id, at); !s.ok()) return s;
  for (const std::string& cluster : clusters) {
    absl::StatusOr<std::optional<absl::Time>> next =
        writer.NextLedgerTime(cluster, at);
    for (; next.ok() && next->has_value();) {
      const Period from = QuotaPeriodAt(license, before, **next);
      const Period to = QuotaPeriodAt(license, after, **next);
      const absl::Time end = std::min(from.end, to.end);
      absl::StatusOr<std::vector<UsageTotal>> sums =
          writer.SumLedgerEntries(license.id, cluster, **next, end);
      if (!sums.ok()) return sums.status();
      for (UsageTotal& sum : *sums) {
        sum.period_start = to.start;
        sum.period_end = to.end;
        absl::Status done = writer.AddUsage(sum);
        sum.period_start = from.start;
        sum.period_end = from.end;
        sum.quantity = -sum.quantity;
        if (done.ok()) done = writer.AddUsage(sum);
        if (!done.ok()) return done;
      }
      next = writer.NextLedgerTime(cluster, end);
    }
    if (!next.ok()) return next.status();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RaiseOverlap(Writer& writer, const UsageOverlap& overlap) {
  Sighting sighting;
  sighting.key = {
      overlap.key.cluster_id, v1::FINDING_KIND_USAGE_OVERLAP,
      absl::StrCat(v1::Lane_Name(overlap.key.lane), "/", overlap.key.epoch)};
  sighting.message = absl::StrCat(
      "Report ", overlap.key.sequence, " of epoch ", overlap.key.epoch,
      " brings usage of a time of which another epoch has reported (",
      overlap.identities, ", for instance ", overlap.example,
      "). The epoch with most of it counts, the other does not; ask the "
      "customer whether the agent's state was restored.");
  sighting.time_frame = TimeSpan{overlap.start, overlap.end};
  sighting.at = overlap.accepted_at;
  return writer.RaiseFinding(sighting);
}

absl::Status EnterUsage(Writer& writer, const License& license,
                        const std::vector<LicenseTerms>& terms,
                        const StoredConsumption& report,
                        const LedgerOptions& options) {
  return Entering(writer, license, terms, report, options).Run();
}

absl::Status EnterBacklog(Store& store, const LedgerOptions& options) {
  for (bool more = true; more;) {
    absl::Status done = store.WriteAndWait([&](Writer& writer) -> absl::Status {
      absl::StatusOr<std::vector<StoredConsumption>> reports =
          writer.UnenteredReports(kBacklogWork);
      if (!reports.ok()) return reports.status();
      for (const StoredConsumption& report : *reports) {
        absl::StatusOr<License> license = writer.GetLicense(report.license_id);
        if (!license.ok()) return license.status();
        absl::StatusOr<std::vector<LicenseTerms>> terms =
            writer.ListLicenseTerms(report.license_id);
        if (!terms.ok()) return terms.status();
        absl::Status entered =
            EnterUsage(writer, *license, *terms, report, options);
        if (!entered.ok()) return entered;
      }
      more = !reports->empty();
      return writer.MarkEntered(static_cast<int>(reports->size()));
    });
    if (!done.ok()) return done;
  }
  return absl::OkStatus();
}

absl::Status ApplyTerms(Writer& writer, const License& license,
                        const std::vector<LicenseTerms>& before) {
  const absl::StatusOr<std::vector<LicenseTerms>> after =
      writer.ListLicenseTerms(license.id);
  if (!after.ok()) return after.status();
  if (after->size() == before.size()) return absl::OkStatus();
  const absl::Time at = after->back().from;
  const Period old_period = QuotaPeriodAt(license, before, at);
  const Period new_period = QuotaPeriodAt(license, *after, at);
  if (old_period.start != new_period.start ||
      old_period.end != new_period.end) {
    absl::Status moved = MoveUsage(writer, license, before, *after, at);
    if (!moved.ok()) return moved;
  }
  absl::StatusOr<std::vector<HostUnitHour>> hours =
      writer.LicenseHours(license.id, HourOf(at), absl::InfiniteFuture());
  if (!hours.ok()) return hours.status();
  for (const HostUnitHour& hour : *hours) {
    const Period from = QuotaPeriodAt(license, before, hour.hour);
    const Period to = QuotaPeriodAt(license, *after, hour.hour);
    const int64_t was = HostUnitOverage(before, hour);
    const int64_t is = HostUnitOverage(*after, hour);
    absl::Status done;
    if (is != 0) {
      done = writer.AddHostUnitOverage(license.id, to.start, to.end, is);
    }
    if (done.ok() && was != 0) {
      done = writer.AddHostUnitOverage(license.id, from.start, from.end, -was);
    }
    if (!done.ok()) return done;
  }
  return absl::OkStatus();
}

}  // namespace mc::service

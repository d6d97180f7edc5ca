// The ledger's part of Reader and Writer, with their promises. It keeps rows;
// what belongs into them is for domain/ledger to say.
#ifndef MC_SERVICE_STORE_LEDGER_STORE_H_
#define MC_SERVICE_STORE_LEDGER_STORE_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mc-service/store/ledger_types.h"
#include "mc-service/store/types.h"

namespace mc::service {

class LedgerReader {
 public:
  virtual ~LedgerReader() = default;

  // In the order of time; the first ones hold from the license's creation on.
  // Never empty.
  virtual absl::StatusOr<std::vector<LicenseTerms>> ListLicenseTerms(
      std::string_view license_id) = 0;

  // The frames that start in the UTC hour, by start, end and epoch.
  virtual absl::StatusOr<std::vector<ReportedFrame>> FramesOfHour(
      std::string_view cluster_id, absl::Time hour) = 0;
  // The start of the first frame or entry at or after `from`; absent where
  // there is none.
  virtual absl::StatusOr<std::optional<absl::Time>> NextLedgerTime(
      std::string_view cluster_id, absl::Time from) = 0;
  // The accepted reports of frames that start in the hour.
  virtual absl::StatusOr<Paged<StoredConsumption>> ReportsOfHour(
      std::string_view cluster_id, absl::Time hour, const Page& page) = 0;
  // What was reported for one host in one hour, over all its reports.
  virtual absl::StatusOr<std::vector<MonitoredInterval>> HostIntervals(
      std::string_view cluster_id, std::string_view environment_id,
      std::string_view host_id, absl::Time hour) = 0;
  virtual absl::StatusOr<HostHour> GetHostHour(std::string_view cluster_id,
                                               std::string_view environment_id,
                                               std::string_view host_id,
                                               absl::Time hour) = 0;

  virtual absl::StatusOr<LedgerEntry> GetLedgerEntry(
      std::string_view cluster_id, const UsageIdentity& identity,
      absl::Time start, absl::Time end) = 0;
  // Those whose frame starts in the hour, in no particular order.
  virtual absl::StatusOr<std::vector<LedgerEntry>> LedgerEntriesOfHour(
      std::string_view cluster_id, absl::Time hour) = 0;
  // In the order in which they were made.
  virtual absl::StatusOr<Paged<LedgerEntry>> ListLedgerEntries(
      const LedgerFilter& filter, const Page& page) = 0;
  // Sums of the entries of a license and cluster whose frame starts in the
  // period, as totals, without those of nothing.
  virtual absl::StatusOr<std::vector<UsageTotal>> SumLedgerEntries(
      std::string_view license_id, std::string_view cluster_id, absl::Time from,
      absl::Time to) = 0;

  // Newest first.
  virtual absl::StatusOr<Paged<UsageTotal>> ListUsageTotals(
      const LedgerFilter& filter, const Page& page) = 0;
  // Those of one period, by meter, ID and unit. Empty environment: of all.
  virtual absl::StatusOr<std::vector<UsageTotal>> UsageTotals(
      std::string_view license_id, absl::Time period_start,
      std::string_view cluster_id, std::string_view environment_id) = 0;
  // The license's own, by meter, ID and unit.
  virtual absl::StatusOr<std::vector<LicenseTotal>> LicenseTotals(
      std::string_view license_id, absl::Time period_start) = 0;
  // What they should be: sums over the usage totals; the overage is 0.
  virtual absl::StatusOr<std::vector<LicenseTotal>> SumUsageTotals(
      std::string_view license_id, absl::Time period_start) = 0;
  // The starts of all periods of which the license has totals, in order.
  virtual absl::StatusOr<std::vector<absl::Time>> LicensePeriods(
      std::string_view license_id) = 0;

  // Hours of [from, to) in which the license used host units, in order.
  virtual absl::StatusOr<std::vector<HostUnitHour>> LicenseHours(
      std::string_view license_id, absl::Time from, absl::Time to) = 0;
  // What they should be: sums over the environments' hours.
  virtual absl::StatusOr<std::vector<HostUnitHour>> SumEnvironmentHours(
      std::string_view license_id, absl::Time from, absl::Time to) = 0;
  // The last one of them.
  virtual absl::StatusOr<std::optional<HostUnitHour>> LastLicenseHour(
      std::string_view license_id, absl::Time from, absl::Time to) = 0;
  // The environments that used host units in the hour.
  virtual absl::StatusOr<std::vector<EnvironmentHour>> EnvironmentHours(
      std::string_view cluster_id, absl::Time hour) = 0;
  // The last hour of [from, to) in which the environment did.
  virtual absl::StatusOr<std::optional<HostUnitHour>> LastEnvironmentHour(
      std::string_view license_id, std::string_view cluster_id,
      std::string_view environment_id, absl::Time from, absl::Time to) = 0;

  // Reports that were accepted before there was a ledger and are not in it yet,
  // the oldest first, at most `limit`; see MarkEntered.
  virtual absl::StatusOr<std::vector<StoredConsumption>> UnenteredReports(
      int limit) = 0;
};

class LedgerWriter {
 public:
  virtual ~LedgerWriter() = default;

  // Replaces what an operator may change of a license: end, limits,
  // entitlements, model and grace period. Other limits or another model are
  // new terms from `at` on, a microsecond after the last ones at least.
  virtual absl::Status UpdateLicense(const License& license, absl::Time at) = 0;

  // One more report of the frame; `frame.reports` is not looked at.
  virtual absl::Status AddReportedFrame(std::string_view cluster_id,
                                        const ReportedFrame& frame) = 0;
  // Inserts or replaces.
  virtual absl::Status PutHostHour(const HostHour& host_hour) = 0;
  // Inserts or replaces; one that is there keeps its license and position.
  virtual absl::Status PutLedgerEntry(const LedgerEntry& entry) = 0;

  // Add what is given, also less than nothing, to the total and the license's.
  virtual absl::Status AddUsage(const UsageTotal& total) = 0;
  virtual absl::Status AddHostUnitOverage(std::string_view license_id,
                                          absl::Time period_start,
                                          absl::Time period_end,
                                          int64_t overage) = 0;
  virtual absl::Status AddHostUnits(std::string_view license_id,
                                    std::string_view cluster_id,
                                    std::string_view environment_id,
                                    const HostUnitHour& hour) = 0;
  // Totals of the period that `at` lies in end there.
  virtual absl::Status EndPeriods(std::string_view license_id,
                                  absl::Time at) = 0;

  // The first `count` of UnenteredReports are in the ledger now.
  virtual absl::Status MarkEntered(int count) = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_LEDGER_STORE_H_

// One transaction on a SQLite database, as the interface shows it.
#ifndef MC_SERVICE_STORE_SQLITE_SESSION_H_
#define MC_SERVICE_STORE_SQLITE_SESSION_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/database.h"
#include "mc-service/store/sqlite/tables.h"
#include "mc-service/store/store.h"

namespace mc::service {

// Microseconds since 1970, as own rows keep times.
inline int64_t Micros(absl::Time time) { return absl::ToUnixMicros(time); }
inline absl::Time FromMicros(int64_t micros) {
  return absl::FromUnixMicros(micros);
}

// Within a transaction that somebody else begins and ends. A method that fails
// leaves what Writer says. Each file session_*.cc holds the methods of one subject.
class Session final : public Writer {
 public:
  Session(sqlite::Database& database, const Tables& tables)
      : database_(database), tables_(tables) {}

  absl::StatusOr<Account> GetAccount(std::string_view id) override;
  absl::StatusOr<Paged<Account>> ListAccounts(const Page& page) override;
  absl::Status InsertAccount(const Account& account) override;

  absl::StatusOr<License> GetLicense(std::string_view id) override;
  absl::StatusOr<License> FindLicenseByKey(
      std::string_view key_digest) override;
  absl::StatusOr<Paged<License>> ListLicenses(std::string_view account_id,
                                              const Page& page) override;
  absl::Status InsertLicense(const License& license) override;
  absl::Status SetLicenseState(std::string_view id,
                               v1::LicenseState state) override;

  absl::StatusOr<int64_t> CountClusters(std::string_view license_id) override;
  absl::StatusOr<Cluster> GetCluster(std::string_view id) override;
  absl::StatusOr<ClusterOverview> GetClusterOverview(
      std::string_view id) override;
  absl::StatusOr<Paged<ClusterOverview>> ListClusters(
      const ClusterFilter& filter, const Page& page) override;
  absl::Status PutCluster(const Cluster& cluster) override;
  absl::StatusOr<std::vector<NodePresence>> ListPresence(
      std::string_view cluster_id) override;
  absl::Status AddPresence(const NodePresence& presence) override;
  absl::Status SetCloneSuspected(std::string_view cluster_id,
                                 absl::Time at) override;

  absl::StatusOr<AcceptedReport> FindReport(const ReportKey& key) override;
  absl::StatusOr<uint64_t> HighestSequence(std::string_view cluster_id,
                                           v1::Lane lane,
                                           uint64_t epoch) override;
  absl::Status InsertReport(const AcceptedReport& report) override;
  absl::Status RaiseHighestSequence(const ReportKey& key) override;

  absl::StatusOr<StoredHealth> LatestHealth(
      std::string_view cluster_id) override;
  absl::StatusOr<Paged<StoredHealth>> ListHealth(std::string_view cluster_id,
                                                 const Page& page) override;
  absl::Status InsertHealth(const StoredHealth& health, int keep) override;

  absl::StatusOr<Paged<StoredConsumption>> ListConsumption(
      const ConsumptionFilter& filter, const Page& page) override;
  absl::StatusOr<UsageSums> SumUsage(std::string_view license_id,
                                     std::string_view environment_id,
                                     absl::Time from, absl::Time to) override;
  absl::Status InsertConsumption(const StoredConsumption& consumption) override;

  // The ledger: session_ledger.cc and session_totals.cc.
  absl::StatusOr<std::vector<LicenseTerms>> ListLicenseTerms(
      std::string_view license_id) override;
  absl::StatusOr<std::vector<ReportedFrame>> FramesOfHour(
      std::string_view cluster_id, absl::Time hour) override;
  absl::StatusOr<std::optional<absl::Time>> NextLedgerTime(
      std::string_view cluster_id, absl::Time from) override;
  absl::StatusOr<Paged<StoredConsumption>> ReportsOfHour(
      std::string_view cluster_id, absl::Time hour, const Page& page) override;
  absl::StatusOr<std::vector<MonitoredInterval>> HostIntervals(
      std::string_view cluster_id, std::string_view environment_id,
      std::string_view host_id, absl::Time hour) override;
  absl::StatusOr<HostHour> GetHostHour(std::string_view cluster_id,
                                       std::string_view environment_id,
                                       std::string_view host_id,
                                       absl::Time hour) override;
  absl::StatusOr<LedgerEntry> GetLedgerEntry(std::string_view cluster_id,
                                             const UsageIdentity& identity,
                                             absl::Time start,
                                             absl::Time end) override;
  absl::StatusOr<std::vector<LedgerEntry>> LedgerEntriesOfHour(
      std::string_view cluster_id, absl::Time hour) override;
  absl::StatusOr<Paged<LedgerEntry>> ListLedgerEntries(
      const LedgerFilter& filter, const Page& page) override;
  absl::StatusOr<std::vector<UsageTotal>> SumLedgerEntries(
      std::string_view license_id, std::string_view cluster_id, absl::Time from,
      absl::Time to) override;
  absl::StatusOr<Paged<UsageTotal>> ListUsageTotals(const LedgerFilter& filter,
                                                    const Page& page) override;
  absl::StatusOr<std::vector<UsageTotal>> UsageTotals(
      std::string_view license_id, absl::Time period_start,
      std::string_view cluster_id, std::string_view environment_id) override;
  absl::StatusOr<std::vector<LicenseTotal>> LicenseTotals(
      std::string_view license_id, absl::Time period_start) override;
  absl::StatusOr<std::vector<LicenseTotal>> SumUsageTotals(
      std::string_view license_id, absl::Time period_start) override;
  absl::StatusOr<std::vector<absl::Time>> LicensePeriods(
      std::string_view license_id) override;
  absl::StatusOr<std::vector<HostUnitHour>> LicenseHours(
      std::string_view license_id, absl::Time from, absl::Time to) override;
  absl::StatusOr<std::vector<HostUnitHour>> SumEnvironmentHours(
      std::string_view license_id, absl::Time from, absl::Time to) override;
  absl::StatusOr<std::optional<HostUnitHour>> LastLicenseHour(
      std::string_view license_id, absl::Time from, absl::Time to) override;
  absl::StatusOr<std::vector<EnvironmentHour>> EnvironmentHours(
      std::string_view cluster_id, absl::Time hour) override;
  absl::StatusOr<std::optional<HostUnitHour>> LastEnvironmentHour(
      std::string_view license_id, std::string_view cluster_id,
      std::string_view environment_id, absl::Time from, absl::Time to) override;
  absl::StatusOr<std::vector<StoredConsumption>> UnenteredReports(
      int limit) override;
  absl::Status UpdateLicense(const License& license, absl::Time at) override;
  absl::Status AddReportedFrame(std::string_view cluster_id,
                                const ReportedFrame& frame) override;
  absl::Status PutHostHour(const HostHour& host_hour) override;
  absl::Status PutLedgerEntry(const LedgerEntry& entry) override;
  absl::Status AddUsage(const UsageTotal& total) override;
  absl::Status AddHostUnitOverage(std::string_view license_id,
                                  absl::Time period_start,
                                  absl::Time period_end,
                                  int64_t overage) override;
  absl::Status AddHostUnits(std::string_view license_id,
                            std::string_view cluster_id,
                            std::string_view environment_id,
                            const HostUnitHour& hour) override;
  absl::Status EndPeriods(std::string_view license_id, absl::Time at) override;
  absl::Status MarkEntered(int count) override;

  absl::StatusOr<Paged<StoredFinding>> ListFindings(const FindingFilter& filter,
                                                    const Page& page) override;
  absl::StatusOr<Paged<SequenceGap>> OpenGaps(const GapFilter& filter,
                                              const Page& page) override;
  absl::StatusOr<SequenceGap> FindGap(std::string_view cluster_id,
                                      uint64_t epoch,
                                      uint64_t sequence) override;
  absl::StatusOr<TimeSpan> ConsumptionTimeFrame(std::string_view cluster_id,
                                                uint64_t epoch,
                                                uint64_t sequence) override;
  absl::StatusOr<int64_t> CountGaps(std::string_view cluster_id, uint64_t epoch,
                                    uint64_t origin) override;
  absl::Status RaiseFinding(const Sighting& sighting) override;
  absl::Status CloseFinding(const FindingKey& key, absl::Time at) override;
  absl::Status PutGap(const SequenceGap& gap) override;
  absl::Status RemoveGap(std::string_view cluster_id, uint64_t epoch,
                         uint64_t first) override;

  absl::StatusOr<Paged<StoredEvent>> ListEvents(const EventFilter& filter,
                                                const Page& page) override;
  absl::StatusOr<Paged<DroppedEvents>> ListDroppedEvents(
      std::string_view cluster_id, const Page& page) override;
  absl::Status InsertEvent(const StoredEvent& event) override;
  absl::Status PutDroppedEvents(const DroppedEvents& dropped) override;

  absl::StatusOr<Operator> GetOperator(std::string_view name) override;
  absl::Status PutOperator(const Operator& op) override;
  absl::StatusOr<Paged<ExchangeCount>> ListExchangeCounts(
      std::string_view cluster_id, const Page& page) override;
  absl::Status AddExchangeCount(const ExchangeCount& count) override;
  absl::StatusOr<Release> GetRelease(std::string_view id) override;
  absl::StatusOr<Paged<Release>> ListReleases(v1::Component component,
                                              const Page& page) override;
  absl::Status InsertRelease(const Release& release) override;
  absl::StatusOr<uint64_t> ServiceEpoch() override;

  absl::StatusOr<UpkeepState> Upkeep() override;
  absl::StatusOr<bool> IsErased(std::string_view cluster_id) override;
  absl::StatusOr<int64_t> Prune(Prunable what, absl::Time before,
                                int max_rows) override;
  absl::Status SetRetainedUntil(absl::Time time) override;
  absl::Status BeginErasure(std::string_view account_id) override;
  absl::StatusOr<bool> EraseSome(std::string_view account_id, int max_rows,
                                 ErasedRows& erased) override;

 private:
  // The texts of statements are constants, or put together from constants.

  template <typename... Values>
  absl::Status Run(std::string_view sql, const Values&... values) {
    absl::StatusOr<sqlite::Statement> statement = database_.Prepare(sql);
    if (!statement.ok()) return statement.status();
    return statement->BindAll(values...).Run();
  }

  // Calls `read(statement)` for each row, until it returns an error.
  template <typename Read, typename... Values>
  absl::Status ForEach(Read read, std::string_view sql,
                       const Values&... values) {
    absl::StatusOr<sqlite::Statement> statement = database_.Prepare(sql);
    if (!statement.ok()) return statement.status();
    statement->BindAll(values...);
    for (;;) {
      absl::StatusOr<bool> row = statement->Step();
      if (!row.ok() || !*row) return row.status();
      if (absl::Status done = read(*statement); !done.ok()) return done;
    }
  }

  // What `read(statement)` makes of the only row; NOT_FOUND without one.
  template <typename T, typename Read, typename... Values>
  absl::StatusOr<T> One(Read read, std::string_view sql,
                        const Values&... values) {
    absl::StatusOr<sqlite::Statement> statement = database_.Prepare(sql);
    if (!statement.ok()) return statement.status();
    absl::StatusOr<bool> row = statement->BindAll(values...).Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::NotFoundError("it is not in the store");
    return read(*statement);
  }

  template <typename... Values>
  absl::StatusOr<int64_t> Number(std::string_view sql,
                                 const Values&... values) {
    return One<int64_t>(
        [](const sqlite::Statement& row) { return row.Int64(0); }, sql,
        values...);
  }

  // A page of what the statement lists; its column 0 is the position, and its
  // last parameter the number of rows.
  template <typename T, typename Read, typename... Values>
  absl::StatusOr<Paged<T>> List(const Page& page, Read read,
                                std::string_view sql, const Values&... values) {
    const size_t limit = std::max(1, page.limit);
    Paged<T> listed;
    int64_t last = 0;
    absl::Status done = ForEach(
        [&](const sqlite::Statement& row) -> absl::Status {
          if (listed.items.size() == limit) {
            listed.next = last;
            return absl::OkStatus();
          }
          absl::StatusOr<T> item = read(row);
          if (!item.ok()) return item.status();
          listed.items.push_back(*std::move(item));
          last = row.Int64(0);
          return absl::OkStatus();
        },
        sql, values..., static_cast<int64_t>(limit) + 1);
    if (!done.ok()) return done;
    return listed;
  }

  // Undoes what `work` wrote where it fails, so that a caller may go on.
  absl::Status Atomically(absl::FunctionRef<absl::Status()> work);

  // `id` of the row; NOT_FOUND.
  absl::StatusOr<int64_t> AccountRow(std::string_view account_id);
  absl::StatusOr<int64_t> LicenseRow(std::string_view license_id);
  absl::StatusOr<int64_t> ClusterRow(std::string_view cluster_id);
  absl::StatusOr<int64_t> AccountRowOf(int64_t license_row);

  absl::StatusOr<License> ReadLicense(const sqlite::Statement& row);
  absl::StatusOr<StoredHealth> ReadHealth(const sqlite::Statement& row);
  absl::StatusOr<StoredConsumption> ReadConsumption(
      const sqlite::Statement& row);
  absl::StatusOr<LedgerEntry> ReadLedgerEntry(const sqlite::Statement& row);
  absl::Status InsertTerms(int64_t license_row, const LicenseTerms& terms);
  absl::Status InsertEntitlements(int64_t license_row, const License& license);

  // A row that was looked up last: a report's entries are all of one cluster
  // and, as a rule, one license.
  struct KnownRow {
    std::string key;
    int64_t id = 0;
  };
  absl::StatusOr<int64_t> Remembered(KnownRow& known, std::string_view key,
                                     std::string_view sql);

  sqlite::Database& database_;
  const Tables& tables_;
  KnownRow cluster_;
  KnownRow license_;
  // By row of the license.
  std::pair<int64_t, int64_t> account_of_license_ = {0, 0};
};

// Where a listing with the newest first goes on.
inline int64_t Before(const Page& page) {
  return page.after == 0 ? INT64_MAX : page.after;
}

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_SQLITE_SESSION_H_

// One transaction on rows in memory.
#ifndef MC_SERVICE_STORE_FAKE_FAKE_SESSION_H_
#define MC_SERVICE_STORE_FAKE_FAKE_SESSION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "mc-service/store/store.h"

namespace mc::service {

// Rows by their position.
template <typename T>
using FakeTable = std::map<int64_t, T>;

struct FakeState {
  FakeTable<Account> accounts;
  FakeTable<License> licenses;
  // Of an overview only what is the cluster's own is kept.
  FakeTable<ClusterOverview> clusters;
  std::map<std::string, Operator, std::less<>> operators;
  std::set<std::string, std::less<>> deleted_operators;
  FakeTable<EnrollmentToken> enrollment_tokens;
  // By cluster, lane, epoch, sequence.
  std::map<std::tuple<std::string, int, uint64_t, uint64_t>, AcceptedReport>
      reports;
  // By cluster, lane, epoch.
  std::map<std::tuple<std::string, int, uint64_t>, uint64_t> marks;
  FakeTable<StoredHealth> health;
  FakeTable<StoredConsumption> consumption;
  // By cluster, environment, host, hour.
  std::map<std::tuple<std::string, std::string, std::string, absl::Time>,
           HostHour>
      host_hours;
  std::map<std::string, std::vector<LicenseTerms>, std::less<>> terms;
  // By cluster, start, end, epoch.
  std::map<std::tuple<std::string, absl::Time, absl::Time, uint64_t>, int64_t>
      frames;
  FakeTable<LedgerEntry> entries;
  FakeTable<UsageTotal> totals;
  // By license, start of period, meter, ID, unit.
  std::map<std::tuple<std::string, absl::Time, int, std::string, std::string>,
           LicenseTotal>
      license_totals;
  // By cluster, environment, hour, license.
  std::map<std::tuple<std::string, std::string, absl::Time, std::string>,
           int64_t>
      environment_hours;
  // By license, hour.
  std::map<std::pair<std::string, absl::Time>, int64_t> license_hours;
  FakeTable<StoredEvent> events;
  FakeTable<DroppedEvents> dropped_events;
  FakeTable<NodePresence> presence;
  FakeTable<ExchangeCount> exchange_counts;
  FakeTable<Release> releases;
  FakeTable<StoredFinding> findings;
  int64_t last_finding = 0;
  FakeTable<SequenceGap> gaps;
  uint64_t service_epoch = 0;
  std::optional<absl::Time> retained_until;
  bool scrub_pending = false;
  std::set<std::string, std::less<>> erased_clusters;
  // By cluster.
  std::map<std::string, std::vector<IssuedIdentity>, std::less<>> identities;
};

class FakeSession final : public Writer {
 public:
  // Reads from `state`; writes to it where `writable` is the same one, which is
  // null for readers.
  FakeSession(const FakeState& state, FakeState* writable)
      : state_(state), writable_(writable) {}

  absl::StatusOr<Account> GetAccount(std::string_view id) override;
  absl::StatusOr<Paged<Account>> ListAccounts(const Page& page) override;
  absl::StatusOr<License> GetLicense(std::string_view id) override;
  absl::StatusOr<License> FindLicenseByKey(
      std::string_view key_digest) override;
  absl::StatusOr<Paged<License>> ListLicenses(std::string_view account_id,
                                              const Page& page) override;
  absl::StatusOr<int64_t> CountClusters(std::string_view license_id) override;
  absl::StatusOr<int64_t> CountPendingClusters(
      std::string_view license_id) override;
  absl::StatusOr<Cluster> GetCluster(std::string_view id) override;
  absl::StatusOr<ClusterOverview> GetClusterOverview(
      std::string_view id) override;
  absl::StatusOr<Paged<ClusterOverview>> ListClusters(
      const ClusterFilter& filter, const Page& page) override;
  // fake_access.cc.
  absl::StatusOr<EnrollmentToken> GetEnrollmentToken(
      std::string_view id) override;
  absl::StatusOr<EnrollmentToken> FindEnrollmentToken(
      std::string_view digest) override;
  absl::StatusOr<Paged<EnrollmentToken>> ListEnrollmentTokens(
      std::string_view license_id, const Page& page) override;
  absl::Status PutEnrollmentToken(const EnrollmentToken& token) override;
  absl::StatusOr<Operator> GetOperator(std::string_view name) override;
  absl::StatusOr<std::vector<Operator>> ListOperators(std::string_view after,
                                                      int limit) override;
  absl::StatusOr<int64_t> CountOperators(Role role) override;
  absl::Status PutOperator(const Operator& op) override;
  absl::Status DeleteOperator(std::string_view name) override;

  absl::StatusOr<AcceptedReport> FindReport(const ReportKey& key) override;
  absl::StatusOr<uint64_t> HighestSequence(std::string_view cluster_id,
                                           v1::Lane lane,
                                           uint64_t epoch) override;
  absl::StatusOr<StoredHealth> LatestHealth(
      std::string_view cluster_id) override;
  absl::StatusOr<Paged<StoredHealth>> ListHealth(std::string_view cluster_id,
                                                 const Page& page) override;
  absl::StatusOr<Paged<StoredConsumption>> ListConsumption(
      const ConsumptionFilter& filter, const Page& page) override;
  absl::StatusOr<UsageSums> SumUsage(std::string_view license_id,
                                     std::string_view environment_id,
                                     absl::Time from, absl::Time to) override;
  absl::StatusOr<std::vector<NodePresence>> ListPresence(
      std::string_view cluster_id) override;
  absl::StatusOr<Paged<ExchangeCount>> ListExchangeCounts(
      std::string_view cluster_id, const Page& page) override;
  absl::StatusOr<Release> GetRelease(std::string_view id) override;
  absl::StatusOr<Paged<Release>> ListReleases(v1::Component component,
                                              const Page& page) override;
  absl::StatusOr<uint64_t> ServiceEpoch() override;

  absl::StatusOr<UpkeepState> Upkeep() override;
  absl::StatusOr<bool> IsErased(std::string_view cluster_id) override;
  absl::StatusOr<int64_t> Prune(Prunable what, absl::Time before,
                                int max_rows) override;
  absl::Status SetRetainedUntil(absl::Time time) override;
  absl::Status BeginErasure(std::string_view account_id) override;
  absl::StatusOr<bool> EraseSome(std::string_view account_id, int max_rows,
                                 ErasedRows& erased) override;

  absl::Status InsertAccount(const Account& account) override;
  absl::Status InsertLicense(const License& license) override;
  absl::Status SetLicenseState(std::string_view id,
                               v1::LicenseState state) override;
  absl::Status PutCluster(const Cluster& cluster) override;
  absl::Status InsertReport(const AcceptedReport& report) override;
  absl::Status RaiseHighestSequence(const ReportKey& key) override;
  absl::Status InsertHealth(const StoredHealth& health, int keep) override;
  absl::Status InsertConsumption(const StoredConsumption& consumption) override;

  // The ledger: fake_ledger.cc.
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

  absl::Status AddPresence(const NodePresence& presence) override;
  absl::StatusOr<std::vector<IssuedIdentity>> ListIssuedIdentities(
      std::string_view cluster_id) override;
  absl::Status PutIssuedIdentities(
      std::string_view cluster_id,
      const std::vector<IssuedIdentity>& identities) override;
  absl::Status SetCloneSuspected(
      std::string_view cluster_id, absl::Time at,
      const std::vector<std::string>& agent_instance_ids) override;
  absl::Status EndCloneSuspicion(std::string_view cluster_id) override;
  absl::Status AddExchangeCount(const ExchangeCount& count) override;
  absl::Status InsertRelease(const Release& release) override;

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

 private:
  ClusterOverview Complete(ClusterOverview overview) const;
  // The row to change, or null.
  ClusterOverview* FindCluster(std::string_view id);
  bool HasLicense(std::string_view id) const;
  const License* FindLicense(std::string_view id) const;

  const FakeState& state_;
  FakeState* const writable_;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_FAKE_FAKE_SESSION_H_

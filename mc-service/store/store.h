// The store: everything that mc-service must not lose.
//
// Domain code sees only this interface; `store/sqlite` is the embedded
// backend, `store/fake` keeps the same promises in memory for tests, and
// `store/conformance.h` is what every backend passes.
#ifndef MC_SERVICE_STORE_STORE_H_
#define MC_SERVICE_STORE_STORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mc-service/store/event_store.h"
#include "mc-service/store/finding_types.h"
#include "mc-service/store/ledger_store.h"
#include "mc-service/store/types.h"
#include "mc-service/store/upkeep_store.h"

namespace mc::service {

// Reads within one consistent snapshot. Not thread-safe: it belongs to the
// function that it was given to, and is not kept.
//
// A row that is asked for by its key and is not there: NOT_FOUND. Listings are
// in the order of insertion unless they say "newest first". Any of them can
// return UNAVAILABLE, RESOURCE_EXHAUSTED or DATA_LOSS when the backend fails,
// without an ErrorInfo.
class Reader : public EventReader, public LedgerReader, public UpkeepReader {
 public:
  virtual absl::StatusOr<Account> GetAccount(std::string_view id) = 0;
  virtual absl::StatusOr<Paged<Account>> ListAccounts(const Page& page) = 0;

  virtual absl::StatusOr<License> GetLicense(std::string_view id) = 0;
  virtual absl::StatusOr<License> FindLicenseByKey(
      std::string_view key_digest) = 0;
  // Empty account: of all.
  virtual absl::StatusOr<Paged<License>> ListLicenses(
      std::string_view account_id, const Page& page) = 0;
  // Clusters that count against the license's limit: all but revoked ones.
  virtual absl::StatusOr<int64_t> CountClusters(
      std::string_view license_id) = 0;

  virtual absl::StatusOr<Cluster> GetCluster(std::string_view id) = 0;
  virtual absl::StatusOr<ClusterOverview> GetClusterOverview(
      std::string_view id) = 0;
  virtual absl::StatusOr<Paged<ClusterOverview>> ListClusters(
      const ClusterFilter& filter, const Page& page) = 0;

  virtual absl::StatusOr<Operator> GetOperator(std::string_view name) = 0;

  virtual absl::StatusOr<AcceptedReport> FindReport(const ReportKey& key) = 0;
  // The highest accepted sequence of an epoch, 0 where there is none.
  virtual absl::StatusOr<uint64_t> HighestSequence(std::string_view cluster_id,
                                                   v1::Lane lane,
                                                   uint64_t epoch) = 0;

  virtual absl::StatusOr<StoredHealth> LatestHealth(
      std::string_view cluster_id) = 0;
  // Newest first.
  virtual absl::StatusOr<Paged<StoredHealth>> ListHealth(
      std::string_view cluster_id, const Page& page) = 0;

  // Newest first.
  virtual absl::StatusOr<Paged<StoredConsumption>> ListConsumption(
      const ConsumptionFilter& filter, const Page& page) = 0;
  // Sums over the reports of a license whose time frame starts in [from, to);
  // of one environment where one is given.
  virtual absl::StatusOr<UsageSums> SumUsage(std::string_view license_id,
                                             std::string_view environment_id,
                                             absl::Time from,
                                             absl::Time to) = 0;

  virtual absl::StatusOr<std::vector<NodePresence>> ListPresence(
      std::string_view cluster_id) = 0;
  // Empty cluster: of all.
  virtual absl::StatusOr<Paged<ExchangeCount>> ListExchangeCounts(
      std::string_view cluster_id, const Page& page) = 0;

  virtual absl::StatusOr<Release> GetRelease(std::string_view id) = 0;
  // Newest first; unspecified component: of all.
  virtual absl::StatusOr<Paged<Release>> ListReleases(v1::Component component,
                                                      const Page& page) = 0;

  // Newest first.
  virtual absl::StatusOr<Paged<StoredFinding>> ListFindings(
      const FindingFilter& filter, const Page& page) = 0;
  virtual absl::StatusOr<Paged<SequenceGap>> OpenGaps(const GapFilter& filter,
                                                      const Page& page) = 0;
  // The gap that the sequence is in.
  virtual absl::StatusOr<SequenceGap> FindGap(std::string_view cluster_id,
                                              uint64_t epoch,
                                              uint64_t sequence) = 0;
  // The time frame of an accepted consumption report.
  virtual absl::StatusOr<TimeSpan> ConsumptionTimeFrame(
      std::string_view cluster_id, uint64_t epoch, uint64_t sequence) = 0;
  // What remains of the gap that began at `origin`.
  virtual absl::StatusOr<int64_t> CountGaps(std::string_view cluster_id,
                                            uint64_t epoch,
                                            uint64_t origin) = 0;

  // Drawn when the store was made, drawn again when it is restored.
  virtual absl::StatusOr<uint64_t> ServiceEpoch() = 0;
};

// Reads and writes within one transaction; reads see the writes before them.
//
// A method that fails with one of the codes below leaves nothing behind; where
// the backend itself fails, the work has to fail, too. NOT_FOUND: the account,
// license or cluster that the row belongs to, or the row to change, is not
// there. INVALID_ARGUMENT: no such row can be, for instance sequences from 2^63
// on.
class Writer : public Reader,
               public EventWriter,
               public LedgerWriter,
               public UpkeepWriter {
 public:
  // ALREADY_EXISTS when the ID or the name is taken.
  virtual absl::Status InsertAccount(const Account& account) = 0;
  // ALREADY_EXISTS when the ID, the key, or the name in the account is taken.
  virtual absl::Status InsertLicense(const License& license) = 0;
  virtual absl::Status SetLicenseState(std::string_view id,
                                       v1::LicenseState state) = 0;
  // Inserts the cluster or replaces its row.
  virtual absl::Status PutCluster(const Cluster& cluster) = 0;
  virtual absl::Status PutOperator(const Operator& op) = 0;

  // ALREADY_EXISTS when the key is there. Raises HighestSequence.
  virtual absl::Status InsertReport(const AcceptedReport& report) = 0;
  // Raises HighestSequence of a lane that keeps no reports; never lowers it.
  virtual absl::Status RaiseHighestSequence(const ReportKey& key) = 0;
  // Keeps the newest `keep` reports of the cluster, this one at least.
  virtual absl::Status InsertHealth(const StoredHealth& health, int keep) = 0;
  // ALREADY_EXISTS when cluster, epoch and sequence are there.
  virtual absl::Status InsertConsumption(
      const StoredConsumption& consumption) = 0;

  // Keeps the newer beat with its instance and adds to the number of beats;
  // the newest of its nodes is the cluster's.
  virtual absl::Status AddPresence(const NodePresence& presence) = 0;
  // Keeps the newer time.
  virtual absl::Status SetCloneSuspected(std::string_view cluster_id,
                                         absl::Time at) = 0;
  // Adds to the counts; the last result is the newer one. Of a cluster that
  // was erased nothing is counted.
  virtual absl::Status AddExchangeCount(const ExchangeCount& count) = 0;

  // Inserts the finding, or counts the open one up and takes over severity,
  // message, time frame and time.
  virtual absl::Status RaiseFinding(const Sighting& sighting) = 0;
  // It no longer holds. OK where none is open.
  virtual absl::Status CloseFinding(const FindingKey& key, absl::Time at) = 0;
  // Inserts the gap, or replaces the one with this first sequence.
  virtual absl::Status PutGap(const SequenceGap& gap) = 0;
  // OK where there is none.
  virtual absl::Status RemoveGap(std::string_view cluster_id, uint64_t epoch,
                                 uint64_t first) = 0;

  // ALREADY_EXISTS when the ID, or component, label and version are there.
  virtual absl::Status InsertRelease(const Release& release) = 0;
};

class Store {
 public:
  using ReadWork = absl::FunctionRef<absl::Status(Reader&)>;
  using WriteWork = std::function<absl::Status(Writer&)>;
  using WriteDone = std::function<void(absl::Status)>;

  virtual ~Store() = default;

  // Runs `work` on a snapshot, on the calling thread; it blocks, so it is not
  // for reactions. Thread-safe. Returns what `work` returned.
  virtual absl::Status Read(ReadWork work) = 0;

  // Queues `work` for the writer. `done` is called once: with OK only after
  // what `work` wrote is durable; with the error of `work`, whose writes are
  // then undone while other works of the same commit stand; or with the
  // commit's own error. It runs on the writer's thread and must be short.
  // Returns false, and calls nothing, when the queue is full or the store
  // stops. Thread-safe.
  virtual bool Write(WriteWork work, WriteDone done) = 0;

  // Waits for the commit. It blocks: not for reactions, not for `done`.
  // UNAVAILABLE (OVERLOADED) when the queue is full or the store stops.
  absl::Status WriteAndWait(WriteWork work);

  // Overwrites the places of deleted rows, in the store's file and in its log;
  // then no scrub is pending. It blocks, may take minutes, and writes wait for
  // it. UNAVAILABLE, RESOURCE_EXHAUSTED: not now; it may be tried again.
  virtual absl::Status Scrub() = 0;

  // Finishes what is queued, then refuses further writes.
  virtual void Stop() = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_STORE_H_

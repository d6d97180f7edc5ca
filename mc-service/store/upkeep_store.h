// What a store deletes: rows whose time is over, and accounts that are erased.
#ifndef MC_SERVICE_STORE_UPKEEP_STORE_H_
#define MC_SERVICE_STORE_UPKEEP_STORE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mc::service {

// What need not be kept for good. The ledger, and what tells a repeated report,
// are not among it.
enum class Prunable {
  // Contents of accepted consumption reports, by their acceptance.
  kConsumptionReports,
  // By their receipt.
  kEvents,
  // By the time at which they were closed.
  kClosedFindings,
  // Used or not, by the time at which they expired.
  kEnrollmentTokens,
};

struct UpkeepState {
  // Until when rules of retention were applied; absent: never yet.
  std::optional<absl::Time> retained_until;
  // When the newest report was accepted; absent: none was.
  std::optional<absl::Time> newest_report_at;
  // Rows were erased, and their places not overwritten yet.
  bool scrub_pending = false;
};

// Rows that an erasure has deleted.
struct ErasedRows {
  int64_t licenses = 0;
  int64_t clusters = 0;
  int64_t reports = 0;
  int64_t ledger_entries = 0;
};

class UpkeepReader {
 public:
  virtual ~UpkeepReader() = default;

  virtual absl::StatusOr<UpkeepState> Upkeep() = 0;
  // Whether a cluster of this ID was erased with its account: it never comes
  // back.
  virtual absl::StatusOr<bool> IsErased(std::string_view cluster_id) = 0;
};

class UpkeepWriter {
 public:
  virtual ~UpkeepWriter() = default;

  // Deletes the oldest that are before `before`, at most about `max_rows`;
  // returns how many, 0 when there are no more.
  virtual absl::StatusOr<int64_t> Prune(Prunable what, absl::Time before,
                                        int max_rows) = 0;
  virtual absl::Status SetRetainedUntil(absl::Time time) = 0;

  // Revokes the account's clusters and keeps in mind that their IDs are
  // erased. NOT_FOUND: there is no such account.
  virtual absl::Status BeginErasure(std::string_view account_id) = 0;
  // Deletes at most `max_rows` rows of the account, itself at last; adds to
  // `erased`. True: nothing of it is left, and a scrub is pending.
  virtual absl::StatusOr<bool> EraseSome(std::string_view account_id,
                                         int max_rows, ErasedRows& erased) = 0;
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_UPKEEP_STORE_H_

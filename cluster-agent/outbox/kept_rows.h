// What usage.db keeps after its purpose is served, and for how long. All
// functions run inside a transaction of the caller.
#ifndef MC_CLUSTER_AGENT_OUTBOX_KEPT_ROWS_H_
#define MC_CLUSTER_AGENT_OUTBOX_KEPT_ROWS_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// The age as it was last saved, see OutboxAge.
absl::StatusOr<absl::Duration> ReadAge(sqlite::Database& database);
absl::Status SaveAge(sqlite::Database& database, absl::Duration age);

// A report of the lane BILLING has its receipt. False: it is not here, or has
// had one before.
absl::StatusOr<bool> KeepAcknowledged(sqlite::Database& database,
                                      const ReportKey& key, absl::Duration age);

// What Welcome says of the service's own history. Where its epoch is another
// one than the last time, the service was restored from a backup, and what it
// may have lost waits again; how many reports that are.
//
// Of an epoch that has a mark: what comes after it. Below it, too, whatever was
// not acknowledged clearly before the marked report was: receipts may come in
// another order than the sequences, and a backup may lie between two of them.
// Of an epoch without a mark: all. What the service has after all, it confirms
// once more and does not count.
absl::StatusOr<int64_t> ApplyServiceEpoch(
    sqlite::Database& database, uint64_t service_epoch,
    std::span<const missioncontrol::v1::LaneMark> marks);

struct Retention {
  absl::Duration acknowledged;
  absl::Duration keys;
  absl::Duration receipts;
};

// Deletes what is old enough, a bounded number of rows of each kind, so that
// nobody waits long; true: there may be more.
absl::StatusOr<bool> PruneKept(sqlite::Database& database,
                               const Retention& retention, absl::Duration age);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_KEPT_ROWS_H_

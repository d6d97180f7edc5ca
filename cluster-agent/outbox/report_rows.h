// Reports in usage.db: numbered, sent, answered. All functions run inside a
// transaction of the caller.
#ifndef MC_CLUSTER_AGENT_OUTBOX_REPORT_ROWS_H_
#define MC_CLUSTER_AGENT_OUTBOX_REPORT_ROWS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"
#include "missioncontrol/v1/reports.pb.h"

namespace mc::agent {

// Draws epochs for lanes that have none yet.
absl::Status PrepareLanes(sqlite::Database& database, absl::Time now);

struct LaneState {
  // In which new reports are numbered.
  uint64_t epoch = 0;
  uint64_t next_sequence = 0;
  // In which reports are to be sent first: that of the oldest waiting one.
  uint64_t sending_epoch = 0;
};
absl::StatusOr<LaneState> ReadLane(sqlite::Database& database,
                                   missioncontrol::v1::Lane lane);

// The number that the next report of the lane gets; it is used up.
absl::StatusOr<ReportKey> TakeNumber(sqlite::Database& database,
                                     missioncontrol::v1::Lane lane);
// New reports of the lane are numbered from 1 in an epoch that was never used.
absl::Status StartEpoch(sqlite::Database& database,
                        missioncontrol::v1::Lane lane, absl::Time now);

// Puts the report under its key; fills in lane, epoch and sequence.
absl::Status StoreReport(sqlite::Database& database, const ReportKey& key,
                         missioncontrol::v1::ReportEnvelope envelope,
                         absl::Time now);
absl::StatusOr<ReportKey> InsertReport(
    sqlite::Database& database, missioncontrol::v1::Lane lane,
    missioncontrol::v1::ReportEnvelope envelope, absl::Time now);

// When something happens: by the wall clock, for people and for what leaves;
// and by the outbox's age, for what is waited for and what is deleted.
struct Moment {
  absl::Time now;
  absl::Duration age;
};

// See Outbox::Acknowledge and Outbox::Reject.
absl::Status AcknowledgeReport(
    sqlite::Database& database, const ReportKey& key,
    const std::optional<missioncontrol::v1::SignedDocument>& receipt,
    const Moment& moment);
absl::Status RejectReport(sqlite::Database& database, const ReportKey& key,
                          const missioncontrol::v1::Rejection& rejection,
                          absl::Duration pause, const Moment& moment);

// See Outbox::ApplyWelcome; true: the service is ahead of this outbox.
absl::StatusOr<bool> ApplyMark(sqlite::Database& database,
                               const missioncontrol::v1::LaneMark& mark,
                               absl::Time now);

absl::Status SetDamaged(sqlite::Database& database, const ReportKey& key);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_REPORT_ROWS_H_

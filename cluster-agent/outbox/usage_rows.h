// Recorded usage in usage.db, until its time frames are closed. All functions
// run inside a transaction of the caller.
#ifndef MC_CLUSTER_AGENT_OUTBOX_USAGE_ROWS_H_
#define MC_CLUSTER_AGENT_OUTBOX_USAGE_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/usage/billing_time.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// A checked record, ready to be stored.
struct UsageRow {
  std::string key;
  int64_t from_us = 0;
  int64_t until_us = 0;
  std::string payload;
};

// The record must have passed CheckUsageRecord; without used_at it was used
// `now`.
absl::StatusOr<UsageRow> ToUsageRow(missioncontrol::v1::UsageRecord record,
                                    absl::Time now);

// `age`: the outbox's, by which the keys are kept.
absl::StatusOr<RecordUsageResult> InsertUsage(sqlite::Database& database,
                                              std::span<const UsageRow> rows,
                                              absl::Duration age);

struct CloseParameters {
  std::string_view cluster_id;
  absl::Duration frame_length;
  size_t max_report_bytes;
  // The agent ran from here on until time.now.
  absl::Time running_since;
  BillingTime::Reading time;
  absl::Duration age;
  const Failpoint& failpoint;
  // Called once for each damaged record that was set aside.
  const std::function<void(const std::string&)>& on_damage;
};

// See Outbox::CloseFrames.
absl::StatusOr<CloseResult> CloseEndedFrames(sqlite::Database& database,
                                             const CloseParameters& parameters);

// Notes that the agent runs in this frame, and forgets open frames of another
// length.
absl::Status NoteRunningFrame(sqlite::Database& database, absl::Time now,
                              absl::Duration frame_length);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_USAGE_ROWS_H_

// Events in usage.db. All functions run inside a transaction of the caller.
//
// An event waits without a number until a report of the lane EVENTS is made of
// all that wait; from then on the report's bytes do not change. What has to go
// unsent leaves a gap in the sequences, which the next report declares: an
// event that had no report yet uses up a number for it.
#ifndef MC_CLUSTER_AGENT_OUTBOX_EVENT_ROWS_H_
#define MC_CLUSTER_AGENT_OUTBOX_EVENT_ROWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"
#include "missioncontrol/v1/events.pb.h"

namespace mc::agent {

enum class EventState {
  kWaiting = 1,
  kReported = 2,
  kAcknowledged = 3,
  kInSite = 4,
  kRefused = 5,
  kDamaged = 6,
};

// Listed, whatever became of them.
inline constexpr int64_t kKeptEvents = 10000;

// `send`: whether they may leave the site. Beyond `max_unsent` the oldest that
// are still to be sent go.
absl::StatusOr<RecordEventsResult> InsertEvents(
    sqlite::Database& database,
    const std::vector<missioncontrol::v1::ClusterEvent>& events, bool send,
    int64_t max_unsent);

// How many events one report holds at most: it is dropped as a whole, and that
// must not be most of what is kept.
int MaxEventsPerReport(int64_t max_unsent);

// Makes reports of all that wait, of `max_per_report` at most; returns how many
// sequences they declare as dropped.
absl::StatusOr<int64_t> PackEvents(
    sqlite::Database& database, const std::string& cluster_id, absl::Time now,
    int max_per_report,
    const std::function<void(const std::string&)>& on_damage);
absl::StatusOr<bool> EventsWait(sqlite::Database& database);

// What became of a report's events; the caller sees to the report's own row.
absl::Status AcknowledgeEvents(sqlite::Database& database,
                               const ReportKey& key);
absl::Status RefuseEvents(sqlite::Database& database, const ReportKey& key);
// The report is damaged; its events are put into another one, for the service
// knows them by their IDs.
absl::Status ReturnEvents(sqlite::Database& database, const ReportKey& key);

// New numbers for all that has no receipt, in a new epoch.
absl::Status RestartEvents(sqlite::Database& database, absl::Time now);
// Nothing of what was recorded so far leaves the site.
absl::Status WithdrawEvents(sqlite::Database& database);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_EVENT_ROWS_H_

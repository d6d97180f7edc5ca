// The traffic size in usage.db. All functions run inside a transaction of the
// caller.
//
// A health check reports all traffic since the end of the last one that was
// acknowledged; so one that is lost, replaced or refused loses no bytes. Two
// health checks hold the same bytes only when the later one was made before
// the receipt of the earlier; their time frames then start at the same time.
#ifndef MC_CLUSTER_AGENT_OUTBOX_TRAFFIC_ROWS_H_
#define MC_CLUSTER_AGENT_OUTBOX_TRAFFIC_ROWS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/outbox/types.h"
#include "common/sqlite/database.h"
#include "missioncontrol/v1/health.pb.h"

namespace mc::agent {

// The first time frame of traffic starts now, where none has started yet.
absl::Status PrepareTraffic(sqlite::Database& database, absl::Time now);

// INVALID_ARGUMENT below 0; OUT_OF_RANGE where the sum would pass 2^63-1.
absl::Status InsertTraffic(sqlite::Database& database, int64_t bytes);

// What the health check of this key has to report. What only health checks
// after `handed_out` have carried becomes its own, for those never left.
// Absent: the clock was set back before the time frame's start; the bytes wait
// for the next health check, whose time frame starts now.
absl::StatusOr<std::optional<missioncontrol::v1::TrafficSize>> AttachTraffic(
    sqlite::Database& database, const ReportKey& key, uint64_t handed_out,
    absl::Time now);

// The health check was acknowledged.
absl::Status ForgetTraffic(sqlite::Database& database, uint64_t epoch,
                           uint64_t sequence);

// No health check that was made so far will be acknowledged.
absl::Status ReturnTraffic(sqlite::Database& database);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_OUTBOX_TRAFFIC_ROWS_H_

// What a usage record must be before it is recorded.
#ifndef MC_CLUSTER_AGENT_DOMAIN_USAGE_CHECK_H_
#define MC_CLUSTER_AGENT_DOMAIN_USAGE_CHECK_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "common/wire/bounds.h"
#include "missioncontrol/v1/agent.pb.h"

namespace mc::agent {

// How far the product's clock may be ahead of ours.
inline constexpr absl::Duration kMaxUsageAhead = absl::Minutes(5);
// The longest interval that one host record may cover.
inline constexpr absl::Duration kMaxHostInterval = absl::Hours(31 * 24);
// So that one host's entry always fits into a report.
inline constexpr int kMaxTechnologies = 100;

// INVALID_ARGUMENT with reason INVALID_FIELD or TIME_FRAME_INVALID, metadata
// "field" names the field.
absl::Status CheckUsageRecord(const missioncontrol::v1::UsageRecord& record,
                              absl::Time now);

// When the usage happened: a host's interval; for everything else the moment
// used_at, as a frame of no length. INVALID_ARGUMENT where the record has no
// valid time; one that passed CheckUsageRecord and has used_at has one.
absl::StatusOr<TimeFrame> UsedDuring(
    const missioncontrol::v1::UsageRecord& record);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_USAGE_CHECK_H_

// Time frames of consumption: pieces of UTC hours, all of one length.
//
// Frames are counted from 1970-01-01T00:00:00Z, and their length divides an
// hour, so none crosses a UTC hour (Unix time has no leap seconds).
#ifndef MC_CLUSTER_AGENT_DOMAIN_USAGE_TIME_FRAME_H_
#define MC_CLUSTER_AGENT_DOMAIN_USAGE_TIME_FRAME_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "missioncontrol/v1/common.pb.h"

namespace mc::agent {

// Half-open: start is in it, end is not.
struct TimeFrame {
  absl::Time start;
  absl::Time end;

  bool operator==(const TimeFrame&) const = default;
};

// Whole seconds that divide an hour; INVALID_ARGUMENT otherwise.
absl::Status CheckFrameLength(absl::Duration length);

// The frame that a moment is in. `length` has passed CheckFrameLength.
TimeFrame FrameOf(absl::Time time, absl::Duration length);

// The pieces of an interval, each within one frame; none for an empty one.
std::vector<TimeFrame> SplitIntoFrames(const TimeFrame& interval,
                                       absl::Duration length);

// What `a` and `b` have in common; start >= end where that is nothing.
TimeFrame Intersection(const TimeFrame& a, const TimeFrame& b);

// Sorted, without overlaps; neighbors that touch become one.
std::vector<TimeFrame> Union(std::vector<TimeFrame> intervals);

missioncontrol::v1::TimeFrame ToProto(const TimeFrame& frame);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_USAGE_TIME_FRAME_H_

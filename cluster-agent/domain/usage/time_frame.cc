#include "cluster-agent/domain/usage/time_frame.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"

namespace mc::agent {
absl::Status CheckFrameLength(absl::Duration length) {
  if (length < absl::Seconds(1) ||
      length % absl::Seconds(1) != absl::Duration() ||
      absl::Hours(1) % length != absl::Duration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a time frame of ", absl::FormatDuration(length),
        " does not divide an hour; use for instance 1h, 15m or 30s"));
  }
  return absl::OkStatus();
}

TimeFrame FrameOf(absl::Time time, absl::Duration length) {
  const absl::Time start =
      absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), length);
  return {start, start + length};
}

std::vector<TimeFrame> SplitIntoFrames(const TimeFrame& interval,
                                       absl::Duration length) {
  std::vector<TimeFrame> pieces;
  for (absl::Time start = interval.start; start < interval.end;) {
    const absl::Time end = std::min(FrameOf(start, length).end, interval.end);
    pieces.push_back({start, end});
    start = end;
  }
  return pieces;
}

TimeFrame Intersection(const TimeFrame& a, const TimeFrame& b) {
  return {std::max(a.start, b.start), std::min(a.end, b.end)};
}

std::vector<TimeFrame> Union(std::vector<TimeFrame> intervals) {
  std::sort(
      intervals.begin(), intervals.end(),
      [](const TimeFrame& a, const TimeFrame& b) { return a.start < b.start; });
  std::vector<TimeFrame> merged;
  for (const TimeFrame& interval : intervals) {
    if (interval.start >= interval.end) continue;
    if (merged.empty() || merged.back().end < interval.start) {
      merged.push_back(interval);
    } else {
      merged.back().end = std::max(merged.back().end, interval.end);
    }
  }
  return merged;
}

missioncontrol::v1::TimeFrame ToProto(const TimeFrame& frame) {
  missioncontrol::v1::TimeFrame proto;
  *proto.mutable_start() = mc::ToProto(frame.start);
  *proto.mutable_end() = mc::ToProto(frame.end);
  return proto;
}

}  // namespace mc::agent

#include "mc-service/domain/findings/gaps.h"

#include <algorithm>
#include <string>

#include "mc-service/domain/findings/sightings.h"

namespace mc::service {
namespace {

// The usage that is in doubt between two reports. Late usage comes in reports
// with older time frames: where these are not in order, all of both is.
TimeSpan Between(const TimeSpan& lower, const TimeSpan& upper) {
  if (lower.end < upper.start) return {lower.end, upper.start};
  return {std::min(lower.start, upper.start), std::max(lower.end, upper.end)};
}

TimeSpan Moment(absl::Time time) { return {time, time}; }

absl::Status Open(Writer& writer, const ReportKey& key, uint64_t highest,
                  const TimeSpan& span, absl::Time now) {
  SequenceGap gap;
  gap.cluster_id = key.cluster_id;
  gap.epoch = key.epoch;
  gap.first = highest + 1;
  gap.last = key.sequence - 1;
  gap.origin = gap.first;
  gap.opened_at = now;
  gap.time_frame = {absl::InfinitePast(), span.start};
  if (highest > 0) {
    const absl::StatusOr<TimeSpan> lower =
        writer.ConsumptionTimeFrame(key.cluster_id, key.epoch, highest);
    if (lower.ok()) {
      gap.time_frame = Between(*lower, span);
    } else if (!absl::IsNotFound(lower.status())) {
      return lower.status();
    }
  }
  return writer.PutGap(gap);
}

// What remains of a gap on one side of the report that came.
SequenceGap Remains(const SequenceGap& gap, uint64_t first, uint64_t last,
                    const TimeSpan& time_frame) {
  SequenceGap remains = gap;
  remains.first = first;
  remains.last = last;
  // Without a finding there is nothing that holds the parts together.
  if (!gap.raised) remains.origin = first;
  remains.time_frame = time_frame;
  return remains;
}

absl::Status Shrink(Writer& writer, const SequenceGap& gap, uint64_t arrived,
                    const TimeSpan& span, absl::Time now) {
  absl::Status status = writer.RemoveGap(gap.cluster_id, gap.epoch, gap.first);
  if (status.ok() && gap.first < arrived) {
    status =
        writer.PutGap(Remains(gap, gap.first, arrived - 1,
                              Between(Moment(gap.time_frame.start), span)));
  }
  if (status.ok() && arrived < gap.last) {
    status = writer.PutGap(Remains(gap, arrived + 1, gap.last,
                                   Between(span, Moment(gap.time_frame.end))));
  }
  if (!status.ok() || !gap.raised) return status;
  const absl::StatusOr<int64_t> left =
      writer.CountGaps(gap.cluster_id, gap.epoch, gap.origin);
  if (!left.ok() || *left > 0) return left.status();
  return writer.CloseFinding(KeyOf(gap), now);
}

}  // namespace

absl::Status NoteArrival(Writer& writer, const ReportKey& key,
                         const v1::TimeFrame& time_frame, absl::Time now) {
  const absl::StatusOr<uint64_t> highest =
      writer.HighestSequence(key.cluster_id, key.lane, key.epoch);
  if (!highest.ok()) return highest.status();
  if (key.sequence == *highest + 1) return absl::OkStatus();
  const TimeSpan span = SpanOf(time_frame);
  if (key.sequence > *highest) {
    return Open(writer, key, *highest, span, now);
  }
  const absl::StatusOr<SequenceGap> gap =
      writer.FindGap(key.cluster_id, key.epoch, key.sequence);
  if (absl::IsNotFound(gap.status())) return absl::OkStatus();
  if (!gap.ok()) return gap.status();
  return Shrink(writer, *gap, key.sequence, span, now);
}

absl::StatusOr<bool> HasGap(Reader& reader, std::string_view cluster_id,
                            absl::Time from, absl::Time to) {
  const absl::StatusOr<Paged<SequenceGap>> gaps = reader.OpenGaps(
      {.cluster_id = std::string(cluster_id), .from = from, .to = to},
      {.limit = 1});
  if (!gaps.ok()) return gaps.status();
  return !gaps->items.empty();
}

absl::StatusOr<int64_t> RaiseGaps(Writer& writer, absl::Time opened_before,
                                  absl::Time now, int limit) {
  absl::StatusOr<Paged<SequenceGap>> gaps =
      writer.OpenGaps({.unraised_before = opened_before}, {.limit = limit});
  if (!gaps.ok()) return gaps.status();
  for (SequenceGap& gap : gaps->items) {
    absl::Status status = writer.RaiseFinding(GapOf(gap, now));
    gap.raised = true;
    if (status.ok()) status = writer.PutGap(gap);
    if (!status.ok()) return status;
  }
  return static_cast<int64_t>(gaps->items.size());
}

}  // namespace mc::service

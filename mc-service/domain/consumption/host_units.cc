#include "mc-service/domain/consumption/host_units.h"

#include <algorithm>
#include <utility>

#include "common/time/proto_time.h"

namespace mc::service {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

int64_t FullWeight(int64_t memory_bytes) {
  if (memory_bytes <= kGiB * 16 / 10) return 100;
  if (memory_bytes <= 4 * kGiB) return 250;
  if (memory_bytes <= 8 * kGiB) return 500;
  const int64_t started = (memory_bytes - 1) / (16 * kGiB) + 1;
  return started * 1000;
}

}  // namespace

int64_t HostUnitsMilli(int64_t memory_bytes, v1::HostCategory category) {
  const int64_t full = FullWeight(memory_bytes);
  if (category != v1::HOST_CATEGORY_INFRASTRUCTURE) return full;
  return std::min<int64_t>(full * 3 / 10, 1000);
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return FromProto(time).value();
}

absl::Time HourOf(absl::Time time) {
  return absl::UnixEpoch() +
         absl::Floor(time - absl::UnixEpoch(), absl::Hours(1));
}

absl::Duration Covered(const std::vector<MonitoredInterval>& intervals,
                       absl::Time start, absl::Time end) {
  std::vector<std::pair<absl::Time, absl::Time>> sorted;
  sorted.reserve(intervals.size());
  for (const MonitoredInterval& interval : intervals) {
    sorted.emplace_back(std::max(start, interval.start),
                        std::min(end, interval.end));
  }
  std::sort(sorted.begin(), sorted.end());
  absl::Duration covered;
  absl::Time reached = start;
  for (const auto& [from, to] : sorted) {
    const absl::Time first = std::max(from, reached);
    if (to <= first) continue;
    covered += to - first;
    reached = to;
  }
  return covered;
}

}  // namespace mc::service

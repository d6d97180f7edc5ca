// What an operator should know of a cluster's reports, as rows of the store.
#ifndef MC_SERVICE_STORE_FINDING_TYPES_H_
#define MC_SERVICE_STORE_FINDING_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "missioncontrol/v1/fleet_operations.pb.h"

namespace mc::service {

// From start to end; infinite where a side is not known.
struct TimeSpan {
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();

  friend bool operator==(const TimeSpan&, const TimeSpan&) = default;
};

// What makes two sightings the same finding.
struct FindingKey {
  std::string cluster_id;
  missioncontrol::v1::FindingKind kind =
      missioncontrol::v1::FINDING_KIND_UNSPECIFIED;
  // Of the kind: what it is about, for instance the key of a report.
  std::string subject;
};

// One time that it was seen.
struct Sighting {
  FindingKey key;
  missioncontrol::v1::Severity severity = missioncontrol::v1::SEVERITY_WARNING;
  // For people.
  std::string message;
  // The usage that it puts in doubt; absent where there is none.
  std::optional<TimeSpan> time_frame = {};
  absl::Time at;
};

struct StoredFinding {
  // Given by the store.
  std::string id;
  // Severity, message and time frame as they were seen last; `at` is when.
  Sighting last;
  absl::Time first_at;
  int64_t count = 0;
  // Absent: it still holds.
  std::optional<absl::Time> closed_at;
};

// All that is given must hold.
struct FindingFilter {
  // Empty: any.
  std::string cluster_id = {};
  // Unspecified: any.
  missioncontrol::v1::FindingKind kind =
      missioncontrol::v1::FINDING_KIND_UNSPECIFIED;
  bool include_closed = false;
};

// Sequences of LANE_BILLING that are missing below the highest accepted one of
// their epoch. Gaps of an epoch do not overlap.
struct SequenceGap {
  std::string cluster_id;
  uint64_t epoch = 0;
  uint64_t first = 0;
  uint64_t last = 0;
  // `first` of the gap as it was first seen: its remains belong together.
  uint64_t origin = 0;
  absl::Time opened_at;
  // The usage in doubt.
  TimeSpan time_frame;
  // Whether there is a finding of it.
  bool raised = false;
};

// All that is given must hold.
struct GapFilter {
  // Empty: any. The license is the one that the cluster has now.
  std::string cluster_id = {};
  std::string license_id = {};
  // Gaps whose usage in doubt overlaps [from, to).
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();
  // Gaps without a finding that were opened before this.
  std::optional<absl::Time> unraised_before = {};
};

}  // namespace mc::service

#endif  // MC_SERVICE_STORE_FINDING_TYPES_H_

// Findings and gaps in memory.
#include "absl/strings/str_cat.h"
#include "mc-service/store/checks.h"
#include "mc-service/store/fake/fake_session.h"
#include "mc-service/store/fake/fake_table.h"

namespace mc::service {
namespace {

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) +
         absl::Nanoseconds(time.nanos());
}

bool Same(const FindingKey& a, const FindingKey& b) {
  return a.cluster_id == b.cluster_id && a.kind == b.kind &&
         a.subject == b.subject;
}

StoredFinding* FindOpen(FakeTable<StoredFinding>& findings,
                        const FindingKey& key) {
  return FindRow(findings, [&](const StoredFinding& row) {
    return Same(row.last.key, key) && !row.closed_at.has_value();
  });
}

}  // namespace

absl::StatusOr<Paged<StoredFinding>> FakeSession::ListFindings(
    const FindingFilter& filter, const Page& page) {
  return ListRows(state_.findings, page, true, [&](const StoredFinding& row) {
    const FindingKey& key = row.last.key;
    return (filter.cluster_id.empty() || key.cluster_id == filter.cluster_id) &&
           (filter.kind == v1::FINDING_KIND_UNSPECIFIED ||
            key.kind == filter.kind) &&
           (filter.include_closed || !row.closed_at.has_value());
  });
}

absl::Status FakeSession::RaiseFinding(const Sighting& sighting) {
  if (FindCluster(sighting.key.cluster_id) == nullptr) {
    return absl::NotFoundError("it is not in the store");
  }
  StoredFinding* finding = FindOpen(writable_->findings, sighting.key);
  if (finding == nullptr) {
    const int64_t id = ++writable_->last_finding;
    finding = &writable_->findings[id];
    finding->id = absl::StrCat(id);
    finding->first_at = sighting.at;
  }
  finding->last = sighting;
  ++finding->count;
  return absl::OkStatus();
}

absl::Status FakeSession::CloseFinding(const FindingKey& key, absl::Time at) {
  StoredFinding* finding = FindOpen(writable_->findings, key);
  if (finding != nullptr) finding->closed_at = at;
  return absl::OkStatus();
}

absl::StatusOr<Paged<SequenceGap>> FakeSession::OpenGaps(
    const GapFilter& filter, const Page& page) {
  return ListRows(state_.gaps, page, false, [&](const SequenceGap& row) {
    return (filter.cluster_id.empty() || row.cluster_id == filter.cluster_id) &&
           (filter.license_id.empty() ||
            GetCluster(row.cluster_id)->license_id == filter.license_id) &&
           row.time_frame.end > filter.from &&
           row.time_frame.start < filter.to &&
           (!filter.unraised_before.has_value() ||
            (!row.raised && row.opened_at < *filter.unraised_before));
  });
}

absl::StatusOr<SequenceGap> FakeSession::FindGap(std::string_view cluster_id,
                                                 uint64_t epoch,
                                                 uint64_t sequence) {
  return Found(FindRow(state_.gaps, [&](const SequenceGap& row) {
    return row.cluster_id == cluster_id && row.epoch == epoch &&
           row.first <= sequence && sequence <= row.last;
  }));
}

absl::StatusOr<TimeSpan> FakeSession::ConsumptionTimeFrame(
    std::string_view cluster_id, uint64_t epoch, uint64_t sequence) {
  const StoredConsumption* row =
      FindRow(state_.consumption, [&](const StoredConsumption& row) {
        return row.key.cluster_id == cluster_id && row.key.epoch == epoch &&
               row.key.sequence == sequence;
      });
  if (row == nullptr) return absl::NotFoundError("it is not in the store");
  const v1::TimeFrame& frame = row->consumption.time_frame();
  TimeSpan span;
  if (frame.has_start()) span.start = ToTime(frame.start());
  if (frame.has_end()) span.end = ToTime(frame.end());
  return span;
}

absl::StatusOr<int64_t> FakeSession::CountGaps(std::string_view cluster_id,
                                               uint64_t epoch,
                                               uint64_t origin) {
  int64_t count = 0;
  for (const auto& [position, row] : state_.gaps) {
    count += row.cluster_id == cluster_id && row.epoch == epoch &&
             row.origin == origin;
  }
  return count;
}

absl::Status FakeSession::PutGap(const SequenceGap& gap) {
  if (absl::Status valid = CheckGap(gap); !valid.ok()) return valid;
  if (FindCluster(gap.cluster_id) == nullptr) {
    return absl::NotFoundError("it is not in the store");
  }
  SequenceGap* row = FindRow(writable_->gaps, [&](const SequenceGap& row) {
    return row.cluster_id == gap.cluster_id && row.epoch == gap.epoch &&
           row.first == gap.first;
  });
  if (row == nullptr) {
    Append(writable_->gaps, gap);
  } else {
    *row = gap;
  }
  return absl::OkStatus();
}

absl::Status FakeSession::RemoveGap(std::string_view cluster_id, uint64_t epoch,
                                    uint64_t first) {
  std::erase_if(writable_->gaps, [&](const auto& entry) {
    const SequenceGap& row = entry.second;
    return row.cluster_id == cluster_id && row.epoch == epoch &&
           row.first == first;
  });
  return absl::OkStatus();
}

}  // namespace mc::service

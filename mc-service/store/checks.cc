#include "mc-service/store/checks.h"

#include <cstdint>
#include <limits>

#include "google/protobuf/util/message_differencer.h"

namespace mc::service {

absl::Status CheckSequence(const ReportKey& key) {
  if (key.sequence > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return absl::InvalidArgumentError("sequences are below 2^63");
  }
  return absl::OkStatus();
}

absl::Status CheckConsumption(const StoredConsumption& stored) {
  if (stored.key.lane != v1::LANE_BILLING) {
    return absl::InvalidArgumentError("consumption belongs to LANE_BILLING");
  }
  return CheckSequence(stored.key);
}

absl::Status CheckDropped(const DroppedEvents& dropped) {
  return CheckSequence({.cluster_id = dropped.cluster_id,
                        .lane = v1::LANE_EVENTS,
                        .epoch = dropped.epoch,
                        .sequence = dropped.last_sequence});
}

absl::Status CheckRelease(const Release& release) {
  v1::ReleaseDocument document;
  if (!document.ParseFromString(release.signed_document.document()) ||
      !google::protobuf::util::MessageDifferencer::Equals(document,
                                                          release.document)) {
    return absl::InvalidArgumentError(
        "the signed bytes of a release are not its document");
  }
  return absl::OkStatus();
}

absl::Status CheckGap(const SequenceGap& gap) {
  if (gap.first < 1 || gap.last < gap.first) {
    return absl::InvalidArgumentError("a gap is of sequences from 1 on");
  }
  return CheckSequence({gap.cluster_id, v1::LANE_BILLING, gap.epoch, gap.last});
}

}  // namespace mc::service

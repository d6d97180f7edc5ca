#include "cluster-agent/outbox/report_rows.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/outbox/event_rows.h"
#include "cluster-agent/outbox/kept_rows.h"
#include "cluster-agent/outbox/rows.h"
#include "cluster-agent/outbox/traffic_rows.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Lane;
using missioncontrol::v1::LANE_BILLING;
using missioncontrol::v1::LANE_EVENTS;
using missioncontrol::v1::LANE_HEALTH;
using missioncontrol::v1::Rejection;
using missioncontrol::v1::ReportEnvelope;
using missioncontrol::v1::StreamReportsRequest;
using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;

// A report that finds its number taken this often is an administrator's
// matter: each time it had a number that nobody can have used.
constexpr int64_t kMaxMoves = 8;

constexpr Lane kLanes[] = {LANE_BILLING, LANE_EVENTS, LANE_HEALTH};

std::string RejectionText(const Rejection& rejection) {
  return absl::StrCat(ReasonName(rejection.reason()), ": ",
                      rejection.message());
}

absl::Status DeleteReport(Database& database, const ReportKey& key) {
  return Execute(database,
                 "DELETE FROM report "
                 "WHERE lane = ? AND epoch = ? AND sequence = ?",
                 key.lane, key.epoch, key.sequence);
}

// Files a report whose number is taken under a new one; false: it was moved
// too often. Its content stays as it is.
absl::StatusOr<bool> MoveReport(Database& database, const ReportKey& key,
                                const std::string& rejection, absl::Time now) {
  int64_t moves = 0;
  StreamReportsRequest request;
  const absl::StatusOr<bool> row = QueryOne(
      database,
      "SELECT moves, request FROM report "
      "WHERE lane = ? AND epoch = ? AND sequence = ? AND state = ?",
      [&](Statement& r) {
        moves = r.Int64(0);
        if (!request.ParseFromString(r.BlobBytes(1))) moves = kMaxMoves;
      },
      key.lane, key.epoch, key.sequence, ReportState::kWaiting);
  if (!row.ok()) return row.status();
  if (!*row) return true;  // Already answered.
  if (moves >= kMaxMoves) return false;
  const absl::StatusOr<LaneState> lane = ReadLane(database, key.lane);
  if (!lane.ok()) return lane.status();
  absl::Status status;
  if (lane->epoch == key.epoch) status = StartEpoch(database, key.lane, now);
  if (!status.ok()) return status;
  const absl::StatusOr<ReportKey> moved = TakeNumber(database, key.lane);
  if (!moved.ok()) return moved.status();
  request.mutable_report()->set_epoch(moved->epoch);
  request.mutable_report()->set_sequence(moved->sequence);
  const std::string bytes = request.SerializeAsString();
  const std::string sum = ReportSum(*moved, bytes);
  status = Execute(
      database,
      "UPDATE report SET epoch = ?, sequence = ?, request = ?, sha256 = ?, "
      "attempts = attempts + 1, moves = moves + 1, rejection = ?, "
      "not_before_us = 0, not_before_age_us = 0 "
      "WHERE lane = ? AND epoch = ? AND sequence = ?",
      moved->epoch, moved->sequence, Blob{bytes}, Blob{sum}, rejection,
      key.lane, key.epoch, key.sequence);
  if (!status.ok()) return status;
  return true;
}

// The next health check says everything anew, so a waiting one is not moved.
absl::Status RestartHealth(Database& database, absl::Time now) {
  absl::Status status = StartEpoch(database, LANE_HEALTH, now);
  if (status.ok()) {
    status =
        Execute(database, "DELETE FROM report WHERE lane = ? AND state = ?",
                LANE_HEALTH, ReportState::kWaiting);
  }
  if (status.ok()) status = ReturnTraffic(database);
  return status;
}

absl::Status SetAsideRejected(Database& database, const ReportKey& key,
                              const std::string& rejection) {
  absl::Status status;
  if (key.lane == LANE_EVENTS) status = RefuseEvents(database, key);
  if (status.ok() && key.lane != LANE_BILLING) {
    // Of the others only the last refused one is worth keeping.
    status = Execute(database,
                     "DELETE FROM report WHERE lane = ? AND state = ? "
                     "AND (epoch, sequence) <> (?, ?)",
                     key.lane, ReportState::kRejected, key.epoch, key.sequence);
  }
  if (!status.ok()) return status;
  return Execute(database,
                 "UPDATE report SET state = ?, attempts = attempts + 1, "
                 "rejection = ? "
                 "WHERE lane = ? AND epoch = ? AND sequence = ? AND state = ?",
                 ReportState::kRejected, rejection, key.lane, key.epoch,
                 key.sequence, ReportState::kWaiting);
}

absl::Time AcceptedAt(const missioncontrol::v1::SignedDocument& receipt,
                      absl::Time now) {
  missioncontrol::v1::ConsumptionReceiptDocument document;
  if (!document.ParseFromString(receipt.document())) return now;
  return FromProto(document.accepted_at()).value_or(now);
}

}  // namespace

absl::Status PrepareLanes(Database& database, absl::Time now) {
  // Microseconds since 1970: larger than in any outbox that was made earlier.
  const int64_t epoch = std::max<int64_t>(1, absl::ToUnixMicros(now));
  for (const Lane lane : kLanes) {
    absl::Status status =
        Execute(database,
                "INSERT INTO lane (lane, epoch, next_sequence) "
                "VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
                lane, epoch);
    if (!status.ok()) return status;
  }
  // A number that is behind what it has numbered would be given twice: the row
  // is damaged.
  return Execute(
      database,
      "UPDATE lane SET epoch = max(epoch + 1, ?1), next_sequence = 1 "
      "WHERE next_sequence <= max("
      "ifnull((SELECT max(sequence) FROM report "
      "WHERE report.lane = lane.lane AND report.epoch = lane.epoch), 0), "
      "ifnull((SELECT max(sequence) FROM receipt "
      "WHERE lane.lane = ?2 AND receipt.epoch = lane.epoch), 0))",
      epoch, LANE_BILLING);
}

absl::StatusOr<LaneState> ReadLane(Database& database, Lane lane) {
  LaneState state;
  const absl::StatusOr<bool> row = QueryOne(
      database,
      "SELECT epoch, next_sequence, "
      "(SELECT min(epoch) FROM report WHERE lane = ?1 AND state = ?2) "
      "FROM lane WHERE lane = ?1",
      [&](Statement& r) {
        state.epoch = r.Uint64(0);
        state.next_sequence = r.Uint64(1);
        state.sending_epoch = r.OptionalUint64(2).value_or(state.epoch);
      },
      lane, ReportState::kWaiting);
  if (!row.ok()) return row.status();
  if (!*row) {
    return absl::InvalidArgumentError(
        absl::StrCat("the outbox has no lane ", lane));
  }
  return state;
}

absl::StatusOr<ReportKey> TakeNumber(Database& database, Lane lane) {
  const absl::StatusOr<LaneState> state = ReadLane(database, lane);
  if (!state.ok()) return state.status();
  absl::Status status = Execute(
      database,
      "UPDATE lane SET next_sequence = next_sequence + 1 WHERE lane = ?", lane);
  if (!status.ok()) return status;
  return ReportKey{lane, state->epoch, state->next_sequence};
}

absl::Status StartEpoch(Database& database, Lane lane, absl::Time now) {
  return Execute(database,
                 "UPDATE lane SET epoch = max(epoch + 1, ?), "
                 "next_sequence = 1 WHERE lane = ?",
                 absl::ToUnixMicros(now), lane);
}

absl::Status StoreReport(Database& database, const ReportKey& key,
                         ReportEnvelope envelope, absl::Time now) {
  envelope.set_lane(key.lane);
  envelope.set_epoch(key.epoch);
  envelope.set_sequence(key.sequence);
  StreamReportsRequest request;
  *request.mutable_report() = std::move(envelope);
  const std::string bytes = request.SerializeAsString();
  const std::string sum = ReportSum(key, bytes);
  return Execute(database,
                 "INSERT INTO report (lane, epoch, sequence, state, "
                 "created_us, request, sha256) VALUES (?, ?, ?, ?, ?, ?, ?)",
                 key.lane, key.epoch, key.sequence, ReportState::kWaiting,
                 absl::ToUnixMicros(now), Blob{bytes}, Blob{sum});
}

absl::StatusOr<ReportKey> InsertReport(Database& database, Lane lane,
                                       ReportEnvelope envelope,
                                       absl::Time now) {
  absl::StatusOr<ReportKey> key = TakeNumber(database, lane);
  if (!key.ok()) return key;
  absl::Status stored = StoreReport(database, *key, std::move(envelope), now);
  if (!stored.ok()) return stored;
  return key;
}

absl::Status AcknowledgeReport(
    Database& database, const ReportKey& key,
    const std::optional<missioncontrol::v1::SignedDocument>& receipt,
    const Moment& moment) {
  if (key.lane != LANE_BILLING) {
    absl::Status status = DeleteReport(database, key);
    // Also when a newer health check has replaced this one meanwhile.
    if (status.ok() && key.lane == LANE_HEALTH) {
      status = ForgetTraffic(database, key.epoch, key.sequence);
    }
    if (status.ok() && key.lane == LANE_EVENTS) {
      status = AcknowledgeEvents(database, key);
    }
    return status;
  }
  const absl::StatusOr<bool> ours = KeepAcknowledged(database, key, moment.age);
  if (!ours.ok()) return ours.status();
  if (!*ours || !receipt.has_value()) return absl::OkStatus();
  const std::string bytes = receipt->SerializeAsString();
  const std::string sum = RowSum(bytes, {key.epoch, key.sequence});
  return Execute(database,
                 "INSERT OR REPLACE INTO receipt (epoch, sequence, "
                 "accepted_us, document, sha256, kept_age_us) "
                 "VALUES (?, ?, ?, ?, ?, ?)",
                 key.epoch, key.sequence,
                 absl::ToUnixMicros(AcceptedAt(*receipt, moment.now)),
                 Blob{bytes}, Blob{sum}, absl::ToInt64Microseconds(moment.age));
}

absl::Status RejectReport(Database& database, const ReportKey& key,
                          const Rejection& rejection, absl::Duration pause,
                          const Moment& moment) {
  const std::string text = RejectionText(rejection);
  if (rejection.resendable()) {
    return Execute(
        database,
        "UPDATE report SET attempts = attempts + 1, "
        "not_before_us = ?, not_before_age_us = ?, rejection = ? "
        "WHERE lane = ? AND epoch = ? AND sequence = ? AND state = ?",
        absl::ToUnixMicros(moment.now + pause),
        absl::ToInt64Microseconds(moment.age + pause), text, key.lane,
        key.epoch, key.sequence, ReportState::kWaiting);
  }
  if (rejection.reason() == missioncontrol::v1::ERROR_REASON_REPORT_CONFLICT) {
    if (key.lane == LANE_HEALTH) return RestartHealth(database, moment.now);
    if (key.lane == LANE_EVENTS) return RestartEvents(database, moment.now);
    const absl::StatusOr<bool> moved =
        MoveReport(database, key, text, moment.now);
    if (!moved.ok()) return moved.status();
    if (*moved) return absl::OkStatus();
  }
  return SetAsideRejected(database, key, text);
}

absl::StatusOr<bool> ApplyMark(Database& database,
                               const missioncontrol::v1::LaneMark& mark,
                               absl::Time now) {
  if (std::find(std::begin(kLanes), std::end(kLanes), mark.lane()) ==
      std::end(kLanes)) {
    return false;
  }
  const absl::StatusOr<LaneState> lane = ReadLane(database, mark.lane());
  if (!lane.ok()) return lane.status();
  if (mark.epoch() != lane->epoch ||
      mark.highest_accepted_sequence() < lane->next_sequence) {
    return false;
  }
  absl::Status status =
      mark.lane() == LANE_HEALTH   ? RestartHealth(database, now)
      : mark.lane() == LANE_EVENTS ? RestartEvents(database, now)
                                   : StartEpoch(database, mark.lane(), now);
  if (!status.ok()) return status;
  return true;
}

absl::Status SetDamaged(Database& database, const ReportKey& key) {
  if (key.lane == LANE_EVENTS) {
    absl::Status returned = ReturnEvents(database, key);
    if (!returned.ok()) return returned;
  }
  return Execute(database,
                 "UPDATE report SET state = ? "
                 "WHERE lane = ? AND epoch = ? AND sequence = ?",
                 ReportState::kDamaged, key.lane, key.epoch, key.sequence);
}

}  // namespace mc::agent

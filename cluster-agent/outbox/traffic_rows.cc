#include "cluster-agent/outbox/traffic_rows.h"

#include <algorithm>

#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/outbox/rows.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::TrafficSize;
using sqlite::Database;
using sqlite::Statement;

struct Sum {
  int64_t bytes = 0;
  int64_t start_us = 0;
};

absl::StatusOr<Sum> SumAll(Database& database) {
  Sum sum;
  const absl::StatusOr<bool> row = QueryOne(
      database, "SELECT ifnull(sum(bytes), 0), min(start_us) FROM traffic",
      [&](Statement& r) {
        sum = {r.Int64(0), r.Int64(1)};
      });
  if (!row.ok()) return row.status();
  return sum;
}

// All in the one row of what is in no health check yet.
absl::Status Unite(Database& database, const Sum& sum) {
  absl::Status status = Execute(database, "DELETE FROM traffic");
  if (!status.ok()) return status;
  return Execute(database,
                 "INSERT INTO traffic (epoch, sequence, bytes, start_us) "
                 "VALUES (0, 0, ?, ?)",
                 sum.bytes, sum.start_us);
}

}  // namespace

absl::Status PrepareTraffic(Database& database, absl::Time now) {
  return Execute(database,
                 "INSERT INTO traffic (epoch, sequence, bytes, start_us) "
                 "VALUES (0, 0, 0, ?) ON CONFLICT DO NOTHING",
                 absl::ToUnixMicros(now));
}

absl::Status InsertTraffic(Database& database, int64_t bytes) {
  if (bytes < 0) return InvalidField("bytes", "a count cannot be negative");
  const absl::StatusOr<Sum> sum = SumAll(database);
  if (!sum.ok()) return sum.status();
  int64_t total;
  if (__builtin_add_overflow(sum->bytes, bytes, &total)) {
    return absl::OutOfRangeError("the sum of the traffic passes 2^63-1 bytes");
  }
  return Execute(database,
                 "UPDATE traffic SET bytes = bytes + ? "
                 "WHERE epoch = 0 AND sequence = 0",
                 bytes);
}

absl::StatusOr<std::optional<TrafficSize>> AttachTraffic(Database& database,
                                                         const ReportKey& key,
                                                         uint64_t handed_out,
                                                         absl::Time now) {
  const int64_t now_us = absl::ToUnixMicros(now);
  absl::StatusOr<Sum> sum = SumAll(database);
  if (!sum.ok()) return sum.status();
  if (sum->start_us >= now_us) {
    sum->start_us = now_us;
    absl::Status status = Unite(database, *sum);
    if (!status.ok()) return status;
    return std::optional<TrafficSize>();
  }
  absl::Status status =
      Execute(database,
              "INSERT INTO traffic (epoch, sequence, bytes, start_us) "
              "SELECT ?1, ?2, sum(bytes), min(start_us) FROM traffic "
              "WHERE sequence = 0 OR epoch <> ?1 OR sequence > ?3",
              key.epoch, key.sequence, handed_out);
  if (status.ok()) {
    status = Execute(database,
                     "DELETE FROM traffic WHERE (epoch, sequence) <> (?1, ?2) "
                     "AND (sequence = 0 OR epoch <> ?1 OR sequence > ?3)",
                     key.epoch, key.sequence, handed_out);
  }
  if (status.ok()) status = PrepareTraffic(database, now);
  if (!status.ok()) return status;
  TrafficSize size;
  size.set_bytes(sum->bytes);
  *size.mutable_time_frame() =
      ToProto(TimeFrame{absl::FromUnixMicros(sum->start_us), now});
  return std::optional<TrafficSize>(std::move(size));
}

absl::Status ForgetTraffic(Database& database, uint64_t epoch,
                           uint64_t sequence) {
  return Execute(database,
                 "DELETE FROM traffic "
                 "WHERE epoch = ? AND sequence > 0 AND sequence <= ?",
                 epoch, sequence);
}

absl::Status ReturnTraffic(Database& database) {
  const absl::StatusOr<Sum> sum = SumAll(database);
  if (!sum.ok()) return sum.status();
  return Unite(database, *sum);
}

}  // namespace mc::agent

#include "cluster-agent/outbox/reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster-agent/outbox/file.h"
#include "cluster-agent/outbox/report_rows.h"
#include "cluster-agent/outbox/rows.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::Lane;
using sqlite::Database;
using sqlite::Statement;

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

// A page token is the key of the last report before it.
std::string PageToken(const ReportKey& key) {
  return absl::StrCat(key.lane, ".", key.epoch, ".", key.sequence);
}

absl::StatusOr<ReportKey> ParsePageToken(std::string_view token) {
  ReportKey key;
  if (token.empty()) return key;
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(token.data(), token.size()), '.');
  int lane;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &lane) ||
      !missioncontrol::v1::Lane_IsValid(lane) ||
      !absl::SimpleAtoi(parts[1], &key.epoch) ||
      !absl::SimpleAtoi(parts[2], &key.sequence)) {
    return InvalidField("page_token", "is not one that a page gave");
  }
  key.lane = static_cast<Lane>(lane);
  return key;
}

std::string WaitingFor(const ListedReport& report, absl::Time not_before,
                       absl::Time now) {
  switch (report.state) {
    case ReportState::kWaiting:
      break;
    case ReportState::kRejected:
      return "the administrator: the service refuses this report for good";
    case ReportState::kDamaged:
      return "the administrator: the report is damaged on this disk";
  }
  if (not_before > now) {
    return absl::StrCat("the next attempt at ", FormatUtc(not_before));
  }
  return "the service's receipt";
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutboxReader>> OutboxReader::Open(
    const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database =
      OpenOutboxDatabase(path, /*read_only=*/true);
  if (!database.ok()) return database.status();
  return std::unique_ptr<OutboxReader>(new OutboxReader(*std::move(database)));
}

absl::StatusOr<ListedReports> OutboxReader::List(int page_size,
                                                 std::string_view page_token,
                                                 absl::Time now) const {
  const absl::StatusOr<ReportKey> after = ParsePageToken(page_token);
  if (!after.ok()) return after.status();
  if (page_size < 0) return InvalidField("page_size", "cannot be negative");
  if (page_size == 0) page_size = kDefaultPageSize;
  const size_t size = std::min(page_size, kMaxPageSize);
  ListedReports page;
  absl::MutexLock lock(&mutex_);
  absl::Status status = QueryAll(
      *database_,
      "SELECT lane, epoch, sequence, state, created_us, attempts, "
      "not_before_us, rejection, length(request) FROM report "
      "WHERE (lane, epoch, sequence) > (?, ?, ?) "
      "ORDER BY lane, epoch, sequence LIMIT ?",
      [&](Statement& row) {
        ListedReport report;
        report.key = {static_cast<Lane>(row.Int64(0)), row.Uint64(1),
                      row.Uint64(2)};
        report.state = static_cast<ReportState>(row.Int64(3));
        report.created_at = absl::FromUnixMicros(row.Int64(4));
        report.attempts = row.Int64(5);
        report.waiting_for =
            WaitingFor(report, absl::FromUnixMicros(row.Int64(6)), now);
        report.rejection = row.Text(7);
        report.size_bytes = row.Int64(8);
        page.reports.push_back(std::move(report));
      },
      after->lane, after->epoch, after->sequence, size + 1);
  if (!status.ok()) return status;
  if (page.reports.size() > size) {
    page.reports.pop_back();
    page.next_page_token = PageToken(page.reports.back().key);
  }
  return page;
}

absl::StatusOr<OutboxStats> OutboxReader::Stats() const {
  OutboxStats stats;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<bool> row = QueryOne(
      *database_,
      "SELECT (SELECT count(*) FROM usage_record), "
      "(SELECT count(*) FROM report WHERE state = ?1), "
      "(SELECT count(*) FROM report WHERE state <> ?1), "
      "(SELECT count(*) FROM damaged_usage)",
      [&](Statement& r) {
        stats = {r.Int64(0), r.Int64(1), r.Int64(2), r.Int64(3)};
      },
      ReportState::kWaiting);
  if (!row.ok()) return row.status();
  return stats;
}

absl::StatusOr<std::vector<std::string>> OutboxReader::Environments() const {
  std::vector<std::string> environments;
  absl::MutexLock lock(&mutex_);
  absl::Status status =
      QueryAll(*database_,
               "SELECT environment_id FROM environment ORDER BY environment_id",
               [&](Statement& row) { environments.push_back(row.Text(0)); });
  if (!status.ok()) return status;
  return environments;
}

absl::StatusOr<missioncontrol::v1::SignedDocument> OutboxReader::FindReceipt(
    uint64_t epoch, uint64_t sequence) const {
  std::string bytes;
  std::string sum;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<bool> row = QueryOne(
      *database_,
      "SELECT document, sha256 FROM receipt WHERE epoch = ? AND sequence = ?",
      [&](Statement& r) {
        bytes = r.BlobBytes(0);
        sum = r.BlobBytes(1);
      },
      epoch, sequence);
  if (!row.ok()) return row.status();
  if (!*row) {
    return absl::NotFoundError(absl::StrCat("there is no receipt for report ",
                                            sequence, " of epoch ", epoch));
  }
  missioncontrol::v1::SignedDocument receipt;
  if (sum != RowSum(bytes, {epoch, sequence}) ||
      !receipt.ParseFromString(bytes)) {
    return absl::DataLossError(
        absl::StrCat(database_->path(), ": the receipt for report ", sequence,
                     " of epoch ", epoch, " is damaged; check the disk"));
  }
  return receipt;
}

absl::StatusOr<std::vector<missioncontrol::v1::LaneEpoch>>
OutboxReader::SendingEpochs() const {
  std::vector<missioncontrol::v1::LaneEpoch> epochs;
  absl::MutexLock lock(&mutex_);
  absl::Status status = QueryAll(
      *database_,
      "SELECT lane, ifnull((SELECT min(epoch) FROM report "
      "WHERE report.lane = lane.lane AND state = ?), epoch) "
      "FROM lane ORDER BY lane",
      [&](Statement& row) {
        missioncontrol::v1::LaneEpoch& epoch = epochs.emplace_back();
        epoch.set_lane(static_cast<Lane>(row.Int64(0)));
        epoch.set_epoch(row.Uint64(1));
      },
      ReportState::kWaiting);
  if (!status.ok()) return status;
  return epochs;
}

absl::StatusOr<OutboxReader::NextReports> OutboxReader::Next(
    const ReportKey& after, size_t max_reports, size_t max_bytes,
    absl::Time now) const {
  NextReports next;
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Statement> rows = database_->Prepare(
      "SELECT sequence, created_us, attempts, request, sha256 FROM report "
      "WHERE state = ? AND lane = ? AND epoch = ? AND sequence > ? "
      "AND not_before_us <= ? ORDER BY sequence");
  if (!rows.ok()) return rows.status();
  rows->BindAll(Plain(ReportState::kWaiting), Plain(after.lane), after.epoch,
                after.sequence, absl::ToUnixMicros(now));
  size_t bytes = 0;
  while (next.reports.size() < max_reports) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    OutboxReport report;
    report.key = {after.lane, after.epoch, rows->Uint64(0)};
    report.created_at = absl::FromUnixMicros(rows->Int64(1));
    report.attempts = rows->Int64(2);
    report.request = rows->BlobBytes(3);
    if (rows->BlobBytes(4) != ReportSum(report.key, report.request)) {
      next.damaged.push_back(report.key);
      continue;
    }
    bytes += report.request.size();
    if (bytes > max_bytes && !next.reports.empty()) break;
    next.reports.push_back(std::move(report));
  }
  return next;
}

}  // namespace mc::agent

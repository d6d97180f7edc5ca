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
    case ReportState::kAcknowledged:
      return "nothing: it has its receipt, and is kept in case the service is "
             "restored from a backup";
  }
  if (not_before > now) {
    return absl::StrCat("the next attempt at ", FormatUtc(not_before));
  }
  return "the service's receipt";
}

// A row of lane, epoch, sequence, state, created_us, attempts, not_before_us,
// rejection, length(request).
ListedReport ReadListed(Statement& row, absl::Time now) {
  ListedReport report;
  report.key = {static_cast<Lane>(row.Int64(0)), row.Uint64(1), row.Uint64(2)};
  report.state = static_cast<ReportState>(row.Int64(3));
  report.created_at = absl::FromUnixMicros(row.Int64(4));
  report.attempts = row.Int64(5);
  report.waiting_for =
      WaitingFor(report, absl::FromUnixMicros(row.Int64(6)), now);
  report.rejection = row.Text(7);
  report.size_bytes = row.Int64(8);
  return report;
}

absl::StatusOr<size_t> PageSize(int page_size) {
  if (page_size < 0) return InvalidField("page_size", "cannot be negative");
  if (page_size == 0) page_size = kDefaultPageSize;
  return static_cast<size_t>(std::min(page_size, kMaxPageSize));
}

// The document, unless it is damaged.
std::optional<missioncontrol::v1::SignedDocument> ReadReceipt(
    uint64_t epoch, uint64_t sequence, const std::string& bytes,
    const std::string& sum) {
  missioncontrol::v1::SignedDocument receipt;
  if (sum != RowSum(bytes, {epoch, sequence}) ||
      !receipt.ParseFromString(bytes)) {
    return std::nullopt;
  }
  return receipt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutboxReader>> OutboxReader::Open(
    const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database =
      OpenOutboxDatabase(path, /*read_only=*/true);
  if (!database.ok()) return database.status();
  return std::unique_ptr<OutboxReader>(new OutboxReader(*std::move(database)));
}

absl::StatusOr<ListedReports> OutboxReader::List(
    int page_size, std::string_view page_token, absl::Time now,
    bool include_acknowledged) const {
  const absl::StatusOr<ReportKey> after = ParsePageToken(page_token);
  if (!after.ok()) return after.status();
  const absl::StatusOr<size_t> size = PageSize(page_size);
  if (!size.ok()) return size.status();
  ListedReports page;
  absl::MutexLock lock(&mutex_);
  absl::Status status = QueryAll(
      *database_,
      "SELECT lane, epoch, sequence, state, created_us, attempts, "
      "not_before_us, rejection, length(request) FROM report "
      "WHERE (lane, epoch, sequence) > (?1, ?2, ?3) AND (?4 OR state <> ?5) "
      "ORDER BY lane, epoch, sequence LIMIT ?6",
      [&](Statement& row) { page.reports.push_back(ReadListed(row, now)); },
      after->lane, after->epoch, after->sequence, include_acknowledged,
      ReportState::kAcknowledged, *size + 1);
  if (!status.ok()) return status;
  if (page.reports.size() > *size) {
    page.reports.pop_back();
    page.next_page_token = PageToken(page.reports.back().key);
  }
  return page;
}

absl::StatusOr<FoundReport> OutboxReader::Find(const ReportKey& key,
                                               absl::Time now) const {
  FoundReport found;
  std::string sum;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<bool> row = QueryOne(
      *database_,
      "SELECT lane, epoch, sequence, state, created_us, attempts, "
      "not_before_us, rejection, length(request), request, sha256 FROM report "
      "WHERE lane = ? AND epoch = ? AND sequence = ?",
      [&](Statement& r) {
        found.listed = ReadListed(r, now);
        found.request = r.BlobBytes(9);
        sum = r.BlobBytes(10);
      },
      key.lane, key.epoch, key.sequence);
  if (!row.ok()) return row.status();
  if (!*row) {
    return absl::NotFoundError(absl::StrCat(
        "there is no report ", key.sequence, " of epoch ", key.epoch, " on ",
        missioncontrol::v1::Lane_Name(key.lane), " (any more)"));
  }
  if (sum != ReportSum(key, found.request)) {
    found.listed.state = ReportState::kDamaged;
    found.listed.waiting_for = WaitingFor(found.listed, now, now);
    found.request.clear();
  }
  return found;
}

absl::StatusOr<OutboxStats> OutboxReader::Stats() const {
  OutboxStats stats;
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<bool> row = QueryOne(
      *database_,
      "SELECT (SELECT count(*) FROM usage_record), "
      "(SELECT count(*) FROM report WHERE state = ?1), "
      "(SELECT count(*) FROM report WHERE state IN (?2, ?3)), "
      "(SELECT count(*) FROM damaged_usage), "
      "(SELECT count(*) FROM report WHERE state = ?4)",
      [&](Statement& r) {
        stats = {r.Int64(0), r.Int64(1), r.Int64(2), r.Int64(3), r.Int64(4)};
      },
      ReportState::kWaiting, ReportState::kRejected, ReportState::kDamaged,
      ReportState::kAcknowledged);
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
  std::optional<missioncontrol::v1::SignedDocument> receipt =
      ReadReceipt(epoch, sequence, bytes, sum);
  if (!receipt.has_value()) {
    return absl::DataLossError(
        absl::StrCat(database_->path(), ": the receipt for report ", sequence,
                     " of epoch ", epoch, " is damaged; check the disk"));
  }
  return *std::move(receipt);
}

absl::StatusOr<KeptReceipts> OutboxReader::ListReceipts(
    int page_size, std::string_view page_token) const {
  // As a page of reports, of one lane.
  const absl::StatusOr<ReportKey> after = ParsePageToken(page_token);
  if (!after.ok()) return after.status();
  const absl::StatusOr<size_t> size = PageSize(page_size);
  if (!size.ok()) return size.status();
  KeptReceipts page;
  absl::MutexLock lock(&mutex_);
  absl::Status status = QueryAll(
      *database_,
      "SELECT epoch, sequence, document, sha256 FROM receipt "
      "WHERE (epoch, sequence) > (?, ?) ORDER BY epoch, sequence LIMIT ?",
      [&](Statement& row) {
        KeptReceipt& receipt = page.receipts.emplace_back();
        receipt.epoch = row.Uint64(0);
        receipt.sequence = row.Uint64(1);
        receipt.document = ReadReceipt(receipt.epoch, receipt.sequence,
                                       row.BlobBytes(2), row.BlobBytes(3));
      },
      after->epoch, after->sequence, *size + 1);
  if (!status.ok()) return status;
  if (page.receipts.size() > *size) {
    page.receipts.pop_back();
    const KeptReceipt& last = page.receipts.back();
    page.next_page_token = PageToken(
        {missioncontrol::v1::LANE_BILLING, last.epoch, last.sequence});
  }
  return page;
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
    absl::Duration age) const {
  NextReports next;
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Statement> rows = database_->Prepare(
      "SELECT sequence, created_us, attempts, request, sha256 FROM report "
      "WHERE state = ? AND lane = ? AND epoch = ? AND sequence > ? "
      "AND not_before_age_us <= ? ORDER BY sequence");
  if (!rows.ok()) return rows.status();
  rows->BindAll(Plain(ReportState::kWaiting), Plain(after.lane), after.epoch,
                after.sequence, absl::ToInt64Microseconds(age));
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

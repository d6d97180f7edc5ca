#include "cluster-agent/outbox/outbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/usage/check.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/outbox/event_rows.h"
#include "cluster-agent/outbox/migrations.h"
#include "cluster-agent/outbox/report_rows.h"
#include "cluster-agent/outbox/rows.h"
#include "cluster-agent/outbox/traffic_rows.h"
#include "cluster-agent/outbox/usage_rows.h"
#include "common/failpoint/failpoint.h"
#include "common/sqlite/migrate.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using missioncontrol::v1::HealthCheck;
using missioncontrol::v1::LANE_EVENTS;
using missioncontrol::v1::LANE_HEALTH;
using missioncontrol::v1::LaneEpoch;
using missioncontrol::v1::LaneMark;
using missioncontrol::v1::Rejection;
using missioncontrol::v1::SignedDocument;
using missioncontrol::v1::UsageRecord;
using sqlite::Database;

constexpr size_t kMaxRecords = 1000;

// What the contract's reasons say of an error of the store.
absl::Status WithReason(absl::Status status) {
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) {
    return Error(status.code(),
                 missioncontrol::v1::ERROR_REASON_STORE_UNAVAILABLE,
                 {status.message().data(), status.message().size()});
  }
  return status;
}

// The error of one of many records: the same, with the record's place.
absl::Status InRecord(size_t index, const absl::Status& error) {
  const std::optional<google::rpc::ErrorInfo> info = ErrorInfoOf(error);
  if (!info.has_value()) return error;
  std::map<std::string, std::string> metadata(info->metadata().begin(),
                                              info->metadata().end());
  const std::string place = absl::StrCat("records[", index, "]");
  std::string& field = metadata["field"];
  field = field.empty() ? place : absl::StrCat(place, ".", field);
  return Error(error.code(), ReasonOf(error),
               absl::StrCat(place, ": ", error.message()), metadata);
}

absl::StatusOr<std::vector<UsageRow>> ToUsageRows(
    std::vector<UsageRecord> records, absl::Time now) {
  if (records.size() > kMaxRecords) {
    return InvalidField("records",
                        "a request holds at most 1000; send several requests");
  }
  std::vector<UsageRow> rows;
  rows.reserve(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    absl::Status valid = CheckUsageRecord(records[i], now);
    if (!valid.ok()) return InRecord(i, valid);
    absl::StatusOr<UsageRow> row = ToUsageRow(std::move(records[i]), now);
    if (!row.ok()) return row.status();
    rows.push_back(*std::move(row));
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Outbox>> Outbox::Open(Options options) {
  absl::Status valid = CheckFrameLength(options.frame_length);
  if (!valid.ok()) return valid;
  if (options.cluster_id.empty() || options.clock == nullptr) {
    return absl::InvalidArgumentError(
        "the outbox needs a cluster ID and a clock");
  }
  if (options.max_report_bytes < kMinMaxReportBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("reports must be allowed to have ", kMinMaxReportBytes,
                     " bytes at least"));
  }
  std::unique_ptr<Outbox> outbox(new Outbox(std::move(options)));
  absl::Status started = outbox->Start();
  if (!started.ok()) return started;
  return outbox;
}

absl::Status Outbox::Start() {
  absl::StatusOr<std::unique_ptr<OutboxLock>> lock =
      OutboxLock::Take(options_.path);
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);
  absl::StatusOr<std::unique_ptr<Database>> opened =
      OpenOutboxDatabase(options_.path, /*read_only=*/false);
  if (!opened.ok()) return opened.status();
  Database& database = **opened;
  absl::Status status = sqlite::Migrate(database, kMigrations);
  if (!status.ok()) return status;
  const absl::Time now = options_.clock->Now();
  status = database.InTransaction([&] {
    absl::Status prepared = PrepareLanes(database, now);
    if (prepared.ok()) prepared = PrepareTraffic(database, now);
    if (prepared.ok()) {
      prepared = NoteRunningFrame(database, now, options_.frame_length);
    }
    if (prepared.ok() && !options_.send_events) {
      prepared = WithdrawEvents(database);
    }
    if (prepared.ok()) {
      const absl::StatusOr<bool> wait = EventsWait(database);
      events_wait_ = wait.value_or(false);
      prepared = wait.status();
    }
    return prepared;
  });
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<OutboxReader>> reader =
      OutboxReader::Open(options_.path);
  if (!reader.ok()) return reader.status();
  reader_ = *std::move(reader);
  {
    absl::MutexLock mutex_lock(&close_mutex_);
    running_since_ = now;
  }
  sqlite::GroupCommitter::Options commits;
  commits.name = "agent";
  writer_ = std::make_unique<sqlite::GroupCommitter>(*std::move(opened),
                                                     std::move(commits));
  return absl::OkStatus();
}

Outbox::~Outbox() {
  if (writer_ != nullptr) writer_->Stop();
  // First, so that the writer is the last connection: its end brings the log
  // into the file and deletes it.
  reader_ = nullptr;
}

void Outbox::Submit(sqlite::GroupCommitter::Work work, Done done) {
  const bool taken =
      writer_->Submit(std::move(work), [this, done](absl::Status status) {
        ObserveDisk(status);
        done(WithReason(std::move(status)));
      });
  if (!taken) {
    done(WithReason(absl::UnavailableError(
        "the outbox is busy or stopping; try again later")));
  }
}

void Outbox::RecordUsage(std::vector<UsageRecord> records, RecordDone done) {
  const absl::Time now = options_.clock->Now();
  absl::StatusOr<std::vector<UsageRow>> rows =
      ToUsageRows(std::move(records), now);
  if (!rows.ok()) return done(rows.status());
  auto result = std::make_shared<RecordUsageResult>();
  Submit(
      [rows = *std::move(rows), result, now](Database& database) {
        absl::StatusOr<RecordUsageResult> inserted =
            InsertUsage(database, rows, now);
        if (inserted.ok()) *result = *inserted;
        MC_FAILPOINT("agent.usage.before");
        return inserted.status();
      },
      [result, done = std::move(done)](absl::Status status) {
        MC_FAILPOINT("agent.usage.after");
        if (status.ok()) return done(*result);
        done(std::move(status));
      });
}

void Outbox::SetEnvironments(std::vector<std::string> environment_ids,
                             Done done) {
  Submit(
      [ids = std::move(environment_ids)](Database& database) {
        absl::Status status = Execute(database, "DELETE FROM environment");
        for (const std::string& id : ids) {
          if (!status.ok()) break;
          status = Execute(database,
                           "INSERT INTO environment (environment_id) "
                           "VALUES (?) ON CONFLICT DO NOTHING",
                           id);
        }
        return status;
      },
      std::move(done));
}

void Outbox::AddTraffic(int64_t bytes, Done done) {
  Submit([bytes](Database& database) { return InsertTraffic(database, bytes); },
         std::move(done));
}

absl::StatusOr<CloseResult> Outbox::CloseFrames() {
  absl::MutexLock lock(&close_mutex_);
  const absl::Time now = options_.clock->Now();
  const absl::Time running_since = running_since_;
  CloseResult result;
  absl::Status status = writer_->Run([&](Database& database) {
    absl::StatusOr<CloseResult> closed = CloseEndedFrames(
        database, {.cluster_id = options_.cluster_id,
                   .frame_length = options_.frame_length,
                   .max_report_bytes = options_.max_report_bytes,
                   .running_since = running_since,
                   .now = now,
                   .failpoint = options_.failpoint,
                   .on_damage = options_.on_damage});
    if (closed.ok()) result = *closed;
    if (result.reports > 0) MC_FAILPOINT("agent.frame.before");
    return closed.status();
  });
  ObserveDisk(status);
  if (!status.ok()) return status;
  if (options_.failpoint) options_.failpoint("committed");
  if (result.reports > 0) MC_FAILPOINT("agent.frame.after");
  running_since_ = now;
  status = Prune();
  if (!status.ok()) return status;
  return result;
}

absl::Status Outbox::Prune() {
  const absl::Time now = options_.clock->Now();
  const int64_t keys = absl::ToUnixMicros(now - options_.key_retention);
  const int64_t receipts = absl::ToUnixMicros(now - options_.receipt_retention);
  return writer_->Run([&](Database& database) {
    // A bounded number each time, so that nobody waits long.
    absl::Status status = Execute(
        database,
        "DELETE FROM usage_key WHERE idempotency_key IN (SELECT "
        "idempotency_key FROM usage_key WHERE recorded_us < ? LIMIT 10000)",
        keys);
    if (status.ok()) {
      status = Execute(database, "DELETE FROM receipt WHERE accepted_us < ?",
                       receipts);
    }
    if (status.ok()) {
      status = Execute(
          database, "DELETE FROM frame WHERE closed = 1 AND end_us < ?", keys);
    }
    return status;
  });
}

void Outbox::PutHealth(HealthCheck check, Done done) {
  const absl::Time now = options_.clock->Now();
  Submit(
      [this, check = std::move(check), now](Database& database) {
        absl::Status status =
            Execute(database, "DELETE FROM report WHERE lane = ? AND state = ?",
                    LANE_HEALTH, ReportState::kWaiting);
        if (!status.ok()) return status;
        const absl::StatusOr<ReportKey> key = TakeNumber(database, LANE_HEALTH);
        if (!key.ok()) return key.status();
        absl::StatusOr<std::optional<missioncontrol::v1::TrafficSize>> traffic =
            AttachTraffic(database, *key, handed_out_health_, now);
        if (!traffic.ok()) return traffic.status();
        missioncontrol::v1::ReportEnvelope envelope;
        *envelope.mutable_created_at() = mc::ToProto(now);
        *envelope.mutable_health_check() = check;
        if (traffic->has_value()) {
          *envelope.mutable_health_check()->mutable_traffic_size() =
              **std::move(traffic);
        }
        return StoreReport(database, *key, std::move(envelope), now);
      },
      std::move(done));
}

absl::StatusOr<std::vector<LaneEpoch>> Outbox::Epochs() const {
  return reader_->SendingEpochs();
}

absl::StatusOr<bool> Outbox::ApplyWelcome(std::span<const LaneMark> marks) {
  const absl::Time now = options_.clock->Now();
  bool changed = false;
  absl::Status status = writer_->Run([&](Database& database) {
    for (const LaneMark& mark : marks) {
      const absl::StatusOr<bool> applied = ApplyMark(database, mark, now);
      if (!applied.ok()) return applied.status();
      changed = changed || *applied;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (changed) events_wait_ = true;
  return changed;
}

absl::StatusOr<std::vector<OutboxReport>> Outbox::Next(const ReportKey& after,
                                                       size_t max_reports,
                                                       size_t max_bytes) {
  if (after.lane == LANE_EVENTS) PackWaitingEvents();
  absl::StatusOr<OutboxReader::NextReports> next =
      reader_->Next(after, max_reports, max_bytes, options_.clock->Now());
  if (!next.ok()) return next.status();
  if (!next->damaged.empty()) {
    absl::Status status = writer_->Run([&](Database& database) {
      for (const ReportKey& key : next->damaged) {
        absl::Status marked = SetDamaged(database, key);
        if (!marked.ok()) return marked;
      }
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    if (after.lane == LANE_EVENTS) events_wait_ = true;
    for (const ReportKey& key : next->damaged) {
      if (!options_.on_damage) break;
      options_.on_damage(absl::StrCat(
          options_.path, ": report ", key.sequence, " of epoch ", key.epoch,
          " is damaged; it was set aside and is not sent. Check the disk"));
    }
  }
  if (after.lane == LANE_HEALTH && !next->reports.empty()) {
    handed_out_health_ = next->reports.back().key.sequence;
  }
  return std::move(next->reports);
}

void Outbox::Acknowledge(const ReportKey& key,
                         std::optional<SignedDocument> receipt, Done done) {
  const absl::Time now = options_.clock->Now();
  Submit(
      [key, receipt = std::move(receipt), now](Database& database) {
        absl::Status status = AcknowledgeReport(database, key, receipt, now);
        MC_FAILPOINT("agent.ack.before");
        return status;
      },
      [done = std::move(done)](absl::Status status) {
        MC_FAILPOINT("agent.ack.after");
        done(std::move(status));
      });
}

void Outbox::Reject(const ReportKey& key, Rejection rejection,
                    absl::Time not_before, Done done) {
  const absl::Time now = options_.clock->Now();
  Submit(
      [this, key, rejection = std::move(rejection), not_before,
       now](Database& database) {
        // It may have given events back.
        if (key.lane == LANE_EVENTS) events_wait_ = true;
        return RejectReport(database, key, rejection, not_before, now);
      },
      std::move(done));
}

}  // namespace mc::agent

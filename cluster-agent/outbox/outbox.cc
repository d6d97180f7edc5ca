#include "cluster-agent/outbox/outbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/usage/check.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "cluster-agent/outbox/event_rows.h"
#include "cluster-agent/outbox/kept_rows.h"
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

bool SameEpochs(const std::vector<LaneEpoch>& a,
                const std::vector<LaneEpoch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const LaneEpoch& x, const LaneEpoch& y) {
                      return x.lane() == y.lane() && x.epoch() == y.epoch();
                    });
}

absl::StatusOr<std::vector<UsageRow>> ToUsageRows(
    std::vector<UsageRecord> records, const BillingTime::Reading& time) {
  if (records.size() > kMaxRecords) {
    return InvalidField("records",
                        "a request holds at most 1000; send several requests");
  }
  std::vector<UsageRow> rows;
  rows.reserve(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    // A clock that is ahead wrote what it showed, in good faith.
    absl::Status valid =
        CheckUsageRecord(records[i], std::max(time.now, time.wall));
    if (!valid.ok()) return InRecord(i, valid);
    CorrectTime(time, records[i]);
    absl::StatusOr<UsageRow> row = ToUsageRow(std::move(records[i]), time.now);
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
  lock_->NoteFilled();
  const absl::Time now = options_.clock->Now();
  // A small log can start anew within the reserve when the disk is full.
  status = database.Exec("PRAGMA wal_autocheckpoint = 200;");
  if (!status.ok()) return status;
  const absl::StatusOr<absl::Duration> age = ReadAge(database);
  if (!age.ok()) return age.status();
  age_base_ = *age - options_.clock->SinceBoot();
  const auto prepare = [&] {
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
  };
  status = database.InTransaction(prepare);
  if (absl::IsResourceExhausted(status) && reserve_.Release()) {
    status = database.InTransaction(prepare);
  }
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

Outbox::Outbox(Options options)
    : options_(std::move(options)),
      billing_time_(options_.clock),
      reserve_(absl::StrCat(options_.path, ".reserve"),
               options_.reserved_bytes) {}

Outbox::~Outbox() {
  if (writer_ != nullptr) {
    // Where it cannot be saved, everything is kept a little longer.
    writer_
        ->Run([age = Age()](Database& database) {
          return SaveAge(database, age);
        })
        .IgnoreError();
    writer_->Stop();
  }
  // First, so that the writer is the last connection: its end brings the log
  // into the file and deletes it.
  reader_ = nullptr;
}

absl::Duration Outbox::Age() const {
  return age_base_ + options_.clock->SinceBoot();
}

void Outbox::Submit(sqlite::GroupCommitter::Work work, Done done) {
  const auto last = [this, done](absl::Status status) {
    // That this goes on a full disk does not mean that there is space.
    if (!status.ok()) ObserveDisk(status);
    done(WithReason(std::move(status)));
  };
  const auto first = [this, work, last](absl::Status status) {
    if (!absl::IsResourceExhausted(status)) return last(std::move(status));
    reserve_.Release();
    if (!writer_->Submit(work, last)) last(std::move(status));
  };
  if (!writer_->Submit(work, first)) {
    last(absl::UnavailableError(
        "the outbox is busy or stopping; try again later"));
  }
}

absl::Status Outbox::RunWork(const sqlite::GroupCommitter::Work& work) {
  absl::Status status = writer_->Run(work);
  if (!absl::IsResourceExhausted(status)) return status;
  reserve_.Release();
  return writer_->Run(work);
}

absl::Status Outbox::CheckRoom(Intake intake) {
  if (intake == Intake::kTelemetry ? reserve_.HasRoomForTelemetry()
                                   : reserve_.HasRoomForUsage()) {
    return absl::OkStatus();
  }
  return WithReason(absl::ResourceExhaustedError(absl::StrCat(
      "the disk of ", options_.path, " is full; free space on it")));
}

void Outbox::SubmitIntake(Intake intake, sqlite::GroupCommitter::Work work,
                          Done done) {
  const absl::Status room = CheckRoom(intake);
  if (!room.ok()) {
    ObserveDisk(room);
    return done(room);
  }
  const bool taken =
      writer_->Submit(std::move(work), [this, done](absl::Status status) {
        if (absl::IsResourceExhausted(status)) reserve_.Release();
        ObserveDisk(status);
        done(WithReason(std::move(status)));
      });
  if (!taken) {
    done(WithReason(absl::UnavailableError(
        "the outbox is busy or stopping; try again later")));
  }
}

void Outbox::RecordUsage(std::vector<UsageRecord> records, RecordDone done) {
  absl::StatusOr<std::vector<UsageRow>> rows =
      ToUsageRows(std::move(records), billing_time_.Read());
  if (!rows.ok()) return done(rows.status());
  auto result = std::make_shared<RecordUsageResult>();
  SubmitIntake(
      Intake::kUsage,
      [rows = *std::move(rows), result, age = Age()](Database& database) {
        absl::StatusOr<RecordUsageResult> inserted =
            InsertUsage(database, rows, age);
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
  SubmitIntake(
      Intake::kUsage,
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
  SubmitIntake(
      Intake::kTelemetry,
      [bytes](Database& database) { return InsertTraffic(database, bytes); },
      std::move(done));
}

absl::StatusOr<CloseResult> Outbox::CloseFrames() {
  absl::MutexLock lock(&close_mutex_);
  // It makes reports of usage: what has to be possible on a full disk is only
  // to get rid of them.
  absl::Status status = CheckRoom(Intake::kUsage);
  if (!status.ok()) return status;
  const BillingTime::Reading time = billing_time_.Read();
  const absl::Time running_since = running_since_;
  CloseResult result;
  status = writer_->Run([&](Database& database) {
    absl::StatusOr<CloseResult> closed = CloseEndedFrames(
        database, {.cluster_id = options_.cluster_id,
                   .frame_length = options_.frame_length,
                   .max_report_bytes = options_.max_report_bytes,
                   .running_since = running_since,
                   .time = time,
                   .age = Age(),
                   .failpoint = options_.failpoint,
                   .on_damage = options_.on_damage});
    if (closed.ok()) result = *closed;
    if (result.reports > 0) MC_FAILPOINT("agent.frame.before");
    return closed.status();
  });
  if (absl::IsResourceExhausted(status)) reserve_.Release();
  ObserveDisk(status);
  if (!status.ok()) return WithReason(status);
  if (options_.failpoint) options_.failpoint("committed");
  if (result.reports > 0) MC_FAILPOINT("agent.frame.after");
  running_since_ = time.now;
  status = Prune();
  if (!status.ok()) return status;
  return result;
}

absl::Status Outbox::Prune() {
  const Retention retention{.acknowledged = options_.keep_acknowledged,
                            .keys = options_.key_retention,
                            .receipts = options_.receipt_retention};
  for (bool more = true; more;) {
    absl::Status status = RunWork([&](Database& database) {
      const absl::StatusOr<bool> pruned = PruneKept(database, retention, Age());
      more = pruned.value_or(false);
      return pruned.status();
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void Outbox::PutHealth(HealthCheck check, Done done) {
  const absl::Time now = options_.clock->Now();
  SubmitIntake(
      Intake::kTelemetry,
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

absl::StatusOr<WelcomeResult> Outbox::ApplyWelcome(
    uint64_t service_epoch, std::span<const LaneMark> marks) {
  const absl::Time now = options_.clock->Now();
  const absl::StatusOr<std::vector<LaneEpoch>> before = Epochs();
  if (!before.ok()) return before.status();
  WelcomeResult result;
  absl::Status status = RunWork([&](Database& database) {
    result = WelcomeResult();
    for (const LaneMark& mark : marks) {
      const absl::StatusOr<bool> ahead = ApplyMark(database, mark, now);
      if (!ahead.ok()) return ahead.status();
      result.outbox_restored = result.outbox_restored || *ahead;
    }
    const absl::StatusOr<int64_t> again =
        ApplyServiceEpoch(database, service_epoch, marks);
    result.sent_again = again.value_or(0);
    if (options_.failpoint) options_.failpoint("welcome applied");
    return again.status();
  });
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<LaneEpoch>> after = Epochs();
  if (!after.ok()) return after.status();
  result.epochs_changed = !SameEpochs(*before, *after);
  if (result.epochs_changed) events_wait_ = true;
  return result;
}

absl::StatusOr<std::vector<OutboxReport>> Outbox::Next(const ReportKey& after,
                                                       size_t max_reports,
                                                       size_t max_bytes) {
  if (after.lane == LANE_EVENTS) PackWaitingEvents();
  absl::StatusOr<OutboxReader::NextReports> next =
      reader_->Next(after, max_reports, max_bytes, Age());
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
  const Moment moment{options_.clock->Now(), Age()};
  Submit(
      [this, key, receipt = std::move(receipt), moment](Database& database) {
        absl::Status status = AcknowledgeReport(database, key, receipt, moment);
        if (options_.failpoint) options_.failpoint("acknowledged");
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
  const Moment moment{options_.clock->Now(), Age()};
  const absl::Duration pause =
      std::max(not_before - moment.now, absl::ZeroDuration());
  Submit(
      [this, key, rejection = std::move(rejection), pause,
       moment](Database& database) {
        // It may have given events back.
        if (key.lane == LANE_EVENTS) events_wait_ = true;
        return RejectReport(database, key, rejection, pause, moment);
      },
      std::move(done));
}

}  // namespace mc::agent

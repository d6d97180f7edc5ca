#include "mc-service/domain/reports/report_desk.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/document.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"
#include "mc-service/domain/consumption/balance.h"
#include "mc-service/domain/consumption/rules.h"
#include "mc-service/domain/events/events.h"
#include "mc-service/domain/findings/gaps.h"
#include "mc-service/domain/findings/sightings.h"
#include "mc-service/domain/health/assessment.h"
#include "mc-service/domain/pacing/admission.h"

namespace mc::service {
namespace {

// The store's numbers are signed.
constexpr uint64_t kMaxNumber = std::numeric_limits<int64_t>::max();

absl::Status LaneMismatch(v1::Lane lane) {
  return Error(
      absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_LANE_MISMATCH,
      absl::StrCat("this payload does not belong on ", v1::Lane_Name(lane)));
}

v1::Lane LaneOf(v1::ReportEnvelope::PayloadCase payload) {
  switch (payload) {
    case v1::ReportEnvelope::kHealthCheck:
      return v1::LANE_HEALTH;
    case v1::ReportEnvelope::kConsumption:
      return v1::LANE_BILLING;
    case v1::ReportEnvelope::kClusterEvents:
      return v1::LANE_EVENTS;
    case v1::ReportEnvelope::PAYLOAD_NOT_SET:
      break;
  }
  return v1::LANE_UNSPECIFIED;
}

// The envelope's own rules; the payload's come after them.
absl::Status CheckEnvelope(const v1::ReportEnvelope& report) {
  const v1::Lane payload_lane = LaneOf(report.payload_case());
  if (payload_lane == v1::LANE_UNSPECIFIED) {
    return InvalidField("payload", "the report has no payload");
  }
  if (report.lane() != payload_lane) return LaneMismatch(report.lane());
  if (report.sequence() < 1 || report.sequence() > kMaxNumber) {
    return InvalidField("sequence", "sequences are from 1 to 2^63 - 1");
  }
  if (report.epoch() > kMaxNumber) {
    return InvalidField("epoch", "epochs are below 2^63");
  }
  if (!report.has_created_at()) {
    return InvalidField("created_at",
                        "the report does not say when it was "
                        "created");
  }
  return absl::OkStatus();
}

absl::Status CheckPayload(const v1::ReportEnvelope& report) {
  if (absl::Status s = CheckMessage(report); !s.ok()) return s;
  if (PayloadClusterId(report).empty()) {
    return InvalidField("cluster_id", "the report does not name its cluster");
  }
  if (absl::Status s = CheckDroppedRanges(report); !s.ok()) return s;
  if (report.has_cluster_events()) return CheckEvents(report);
  if (report.has_consumption()) return CheckConsumption(report.consumption());
  return absl::OkStatus();
}

ReportKey KeyOf(const Submission& submission) {
  return {.cluster_id = submission.cluster_id,
          .lane = submission.report.lane(),
          .epoch = submission.report.epoch(),
          .sequence = submission.report.sequence()};
}

v1::ReportReceipt ReceiptFor(const ReportKey& key) {
  v1::ReportReceipt receipt;
  receipt.set_lane(key.lane);
  receipt.set_epoch(key.epoch);
  receipt.set_sequence(key.sequence);
  return receipt;
}

v1::ReportReceipt Rejected(const ReportKey& key, const absl::Status& status,
                           bool resendable) {
  return Reject(key.lane, key.epoch, key.sequence, status, resendable);
}

v1::ReportReceipt Conflict(const ReportKey& key) {
  return Rejected(
      key,
      Error(absl::StatusCode::kAlreadyExists, v1::ERROR_REASON_REPORT_CONFLICT,
            "another report came under this lane, epoch and sequence "
            "before and is kept; start a new epoch"),
      /*resendable=*/false);
}

// What a work of the consumption lane needs, at every time it runs.
struct ConsumptionWork {
  ReportKey key;
  std::string digest;
  StoredConsumption stored;
  // Absent for what is probably a repeat, which has its receipt already.
  std::optional<v1::SignedDocument> signed_receipt;
};

v1::SignedDocument SignReceipt(const DocumentSigner& signer,
                               const ConsumptionWork& work) {
  v1::ConsumptionReceiptDocument document;
  document.set_kind(v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  document.set_cluster_id(work.key.cluster_id);
  document.set_epoch(work.key.epoch);
  document.set_sequence(work.key.sequence);
  document.set_report_sha256(work.digest);
  *document.mutable_accepted_at() = ToProto(work.stored.accepted_at);
  *document.mutable_time_frame() = work.stored.consumption.time_frame();
  return signer.Sign(document);
}

// Whether a report came under this key before; then `receipt` is its answer.
// Other content is a finding; `in_doubt` is what it is about.
absl::StatusOr<bool> AnsweredBefore(Writer& writer, const ReportKey& key,
                                    const std::string& digest,
                                    const v1::TimeFrame& in_doubt,
                                    absl::Time now,
                                    v1::ReportReceipt& receipt) {
  absl::StatusOr<AcceptedReport> before = writer.FindReport(key);
  if (absl::IsNotFound(before.status())) return false;
  if (!before.ok()) return before.status();
  if (before->digest != digest) {
    receipt = Conflict(key);
    absl::Status raised = writer.RaiseFinding(ConflictOf(key, in_doubt, now));
    if (!raised.ok()) return raised;
  } else if (!receipt.ParseFromString(before->receipt)) {
    return absl::DataLossError("a stored receipt does not parse");
  }
  return true;
}

absl::Status RecordOnce(Writer& writer, const ReportDesk::Options& options,
                        ConsumptionWork& work, v1::ReportReceipt& receipt) {
  MC_FAILPOINT("service.record.before");
  const absl::StatusOr<bool> answered = AnsweredBefore(
      writer, work.key, work.digest, work.stored.consumption.time_frame(),
      work.stored.accepted_at, receipt);
  if (!answered.ok() || *answered) return answered.status();
  absl::StatusOr<Cluster> cluster = writer.GetCluster(work.key.cluster_id);
  if (!cluster.ok()) return cluster.status();
  absl::StatusOr<License> license = writer.GetLicense(cluster->license_id);
  if (!license.ok()) return license.status();
  work.stored.license_id = license->id;
  if (absl::Status noted =
          NoteArrival(writer, work.key, work.stored.consumption.time_frame(),
                      work.stored.accepted_at);
      !noted.ok()) {
    return noted;
  }
  absl::StatusOr<v1::ConsumptionResult> result =
      RecordConsumption(writer, *license, work.stored, options.ledger);
  if (!result.ok()) return result.status();
  receipt = ReceiptFor(work.key);
  *receipt.mutable_consumption() = *std::move(result);
  if (!work.signed_receipt.has_value()) {
    work.signed_receipt = SignReceipt(*options.signer, work);
  }
  *receipt.mutable_signed_receipt() = *work.signed_receipt;
  return writer.InsertReport({.key = work.key,
                              .digest = work.digest,
                              .receipt = receipt.SerializeAsString(),
                              .accepted_at = work.stored.accepted_at});
}

}  // namespace

v1::ReportReceipt Reject(v1::Lane lane, uint64_t epoch, uint64_t sequence,
                         const absl::Status& status, bool resendable) {
  v1::ReportReceipt receipt;
  receipt.set_lane(lane);
  receipt.set_epoch(epoch);
  receipt.set_sequence(sequence);
  v1::Rejection* rejection = receipt.mutable_rejection();
  rejection->set_reason(ReasonOf(status));
  rejection->set_message(std::string(status.message()));
  rejection->set_resendable(resendable);
  if (const auto info = ErrorInfoOf(status)) {
    *rejection->mutable_metadata() = info->metadata();
  }
  if (const auto delay = RetryDelayOf(status)) {
    *receipt.mutable_pacing()->mutable_retry_after() = ToProto(*delay);
  }
  return receipt;
}

std::string_view PayloadClusterId(const v1::ReportEnvelope& report) {
  switch (report.payload_case()) {
    case v1::ReportEnvelope::kHealthCheck:
      return report.health_check().cluster_id();
    case v1::ReportEnvelope::kConsumption:
      return report.consumption().cluster_id();
    case v1::ReportEnvelope::kClusterEvents:
      return report.cluster_events().cluster_id();
    case v1::ReportEnvelope::PAYLOAD_NOT_SET:
      break;
  }
  return "";
}

ReportDesk::ReportDesk(Options options) : options_(std::move(options)) {}

absl::StatusOr<v1::Welcome> ReportDesk::Greet(const v1::Hello& hello) {
  if (absl::Status s = CheckMessage(hello); !s.ok()) return s;
  std::set<v1::Lane> lanes;
  for (const v1::LaneEpoch& epoch : hello.epochs()) {
    if (!v1::Lane_IsValid(epoch.lane()) ||
        epoch.lane() == v1::LANE_UNSPECIFIED ||
        !lanes.insert(epoch.lane()).second) {
      return InvalidField("epochs.lane", "name each known lane once");
    }
    if (epoch.epoch() > kMaxNumber) {
      return InvalidField("epochs.epoch", "epochs are below 2^63");
    }
  }
  v1::Welcome welcome;
  absl::Status status =
      options_.store->Read([&](Reader& reader) -> absl::Status {
        absl::StatusOr<uint64_t> service_epoch = reader.ServiceEpoch();
        if (!service_epoch.ok()) return service_epoch.status();
        welcome.set_service_epoch(*service_epoch);
        for (const v1::LaneEpoch& epoch : hello.epochs()) {
          absl::StatusOr<uint64_t> highest = reader.HighestSequence(
              hello.cluster_id(), epoch.lane(), epoch.epoch());
          if (!highest.ok()) return highest.status();
          v1::LaneMark* mark = welcome.add_marks();
          mark->set_lane(epoch.lane());
          mark->set_epoch(epoch.epoch());
          mark->set_highest_accepted_sequence(*highest);
        }
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  if (options_.backlog != nullptr) {
    const absl::Duration wait =
        options_.backlog->WhenToBegin(options_.clock->Now());
    if (wait > absl::ZeroDuration()) {
      *welcome.mutable_pacing()->mutable_retry_after() = ToProto(wait);
    }
  }
  return welcome;
}

void ReportDesk::Accept(Submission submission, Done done) {
  MC_FAILPOINT("service.report.received");
  const v1::ReportEnvelope& report = submission.report;
  const ReportKey key = KeyOf(submission);
  if (absl::Status s = CheckEnvelope(report); !s.ok()) {
    return done(Rejected(key, s, /*resendable=*/false));
  }
  if (absl::Status s = CheckPayload(report); !s.ok()) {
    return done(Rejected(key, s, /*resendable=*/false));
  }
  if (!Admit(report, key, done)) return;
  if (report.has_health_check()) {
    AcceptHealth(std::move(submission), std::move(done));
  } else if (report.has_cluster_events()) {
    AcceptEvents(std::move(submission), std::move(done));
  } else {
    AcceptConsumption(std::move(submission), std::move(done));
  }
}

bool ReportDesk::Admit(const v1::ReportEnvelope& report, const ReportKey& key,
                       Done& done) const {
  // Of health checks only the latest is sent: there is no backlog of them.
  if (options_.backlog == nullptr || report.has_health_check()) return true;
  const absl::Time now = options_.clock->Now();
  const absl::StatusOr<absl::Time> created = FromProto(report.created_at());
  if (!created.ok() || now - *created < options_.backlog_age) return true;
  const Admission::Verdict verdict = options_.backlog->Ask(now);
  if (!verdict.admitted) {
    done(Rejected(
        key,
        WithRetryDelay(
            Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
                  "many clusters send what waited during an outage; send it "
                  "again later"),
            verdict.retry_after),
        /*resendable=*/true));
    return false;
  }
  if (verdict.retry_after > absl::ZeroDuration()) {
    done = [done = std::move(done),
            wait = verdict.retry_after](v1::ReportReceipt receipt) {
      if (!receipt.pacing().has_retry_after()) {
        *receipt.mutable_pacing()->mutable_retry_after() = ToProto(wait);
      }
      done(std::move(receipt));
    };
  }
  return true;
}

void ReportDesk::AcceptHealth(Submission submission, Done done) {
  const ReportKey key = KeyOf(submission);
  auto stored = std::make_shared<StoredHealth>();
  stored->cluster_id = std::move(submission.cluster_id);
  stored->received_at = options_.clock->Now();
  stored->health_check = std::move(*submission.report.mutable_health_check());
  stored->result = Assess(stored->health_check);
  auto receipt = std::make_shared<v1::ReportReceipt>(ReceiptFor(key));
  *receipt->mutable_health_check() = stored->result;
  const int keep = options_.keep_health_checks;
  Write(
      key, std::move(receipt),
      [key, stored, keep](Writer& writer) -> absl::Status {
        absl::StatusOr<uint64_t> highest =
            writer.HighestSequence(key.cluster_id, key.lane, key.epoch);
        if (!highest.ok()) return highest.status();
        // The latest wins: an older one gets its answer and no row.
        if (key.sequence <= *highest) return absl::OkStatus();
        if (absl::Status s = writer.InsertHealth(*stored, keep); !s.ok()) {
          return s;
        }
        return writer.RaiseHighestSequence(key);
      },
      std::move(done));
}

void ReportDesk::AcceptConsumption(Submission submission, Done done) {
  auto work = std::make_shared<ConsumptionWork>();
  work->key = KeyOf(submission);
  work->digest = std::move(submission.digest);
  work->stored.key = work->key;
  work->stored.accepted_at = options_.clock->Now();
  work->stored.consumption =
      std::move(*submission.report.mutable_consumption());

  // Signed here: the store's one writer has other things to do.
  if (!submission.likely_repeat) {
    work->signed_receipt = SignReceipt(*options_.signer, *work);
  }

  auto receipt = std::make_shared<v1::ReportReceipt>();
  Write(
      work->key, receipt,
      [this, work, receipt](Writer& writer) {
        return RecordOnce(writer, options_, *work, *receipt);
      },
      std::move(done));
}

void ReportDesk::AcceptEvents(Submission submission, Done done) {
  const ReportKey key = KeyOf(submission);
  const absl::Time now = options_.clock->Now();
  auto sent = std::make_shared<Submission>(std::move(submission));
  auto receipt = std::make_shared<v1::ReportReceipt>();
  Write(
      key, receipt,
      [key, now, sent, receipt](Writer& writer) -> absl::Status {
        const absl::StatusOr<bool> answered = AnsweredBefore(
            writer, key, sent->digest, v1::TimeFrame(), now, *receipt);
        if (!answered.ok() || *answered) return answered.status();
        absl::Status stored =
            StoreEvents(writer, key.cluster_id, sent->report, now);
        for (const v1::DroppedRange& range : sent->report.dropped()) {
          stored.Update(writer.RaiseFinding(DroppedEventsOf(key, range, now)));
        }
        if (!stored.ok()) return stored;
        *receipt = ReceiptFor(key);
        receipt->mutable_cluster_events();
        return writer.InsertReport({.key = key,
                                    .digest = sent->digest,
                                    .receipt = receipt->SerializeAsString(),
                                    .accepted_at = now});
      },
      std::move(done));
}

void ReportDesk::Write(const ReportKey& key,
                       std::shared_ptr<v1::ReportReceipt> receipt,
                       Store::WriteWork work, Done done) {
  auto finish = [this, key, receipt, done](absl::Status status) {
    if (!status.ok()) {
      LogError("a report was not stored",
               {{"cluster", key.cluster_id},
                {"lane", v1::Lane_Name(key.lane)},
                {"sequence", std::to_string(key.sequence)},
                {"error", status.ToString()}});
      // Whatever the store's trouble is: the report may be fine.
      return done(Rejected(key,
                           Error(absl::StatusCode::kUnavailable,
                                 v1::ERROR_REASON_STORE_UNAVAILABLE,
                                 "the service could not store the report; send "
                                 "it again later"),
                           /*resendable=*/true));
    }
    if (receipt->rejection().reason() == v1::ERROR_REASON_REPORT_CONFLICT) {
      LogError("ALARM: a report came again with other content",
               {{"cluster", key.cluster_id},
                {"lane", v1::Lane_Name(key.lane)},
                {"epoch", std::to_string(key.epoch)},
                {"sequence", std::to_string(key.sequence)}});
      if (options_.on_conflict) options_.on_conflict(key);
    }
    done(std::move(*receipt));
  };
  if (!options_.store->Write(std::move(work), std::move(finish))) {
    done(Rejected(
        key,
        WithRetryDelay(
            Error(absl::StatusCode::kUnavailable, v1::ERROR_REASON_OVERLOADED,
                  "the service has more reports than it can take; send "
                  "it again later"),
            options_.overload_retry_delay),
        /*resendable=*/true));
  }
}

}  // namespace mc::service

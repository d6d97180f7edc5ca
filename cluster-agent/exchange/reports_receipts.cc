// What the service answers on the reports stream.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/reports.h"
#include "cluster-agent/exchange/reports_lanes.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/rpc/byte_buffer.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// As the calls' errors are, for status and pacing.
absl::Status StatusOf(const v1::Rejection& rejection) {
  return Error(rejection.resendable() ? absl::StatusCode::kUnavailable
                                      : absl::StatusCode::kFailedPrecondition,
               rejection.reason(), rejection.message());
}

void Tell(const WelcomeResult& result) {
  if (result.outbox_restored) {
    LogWarning(
        "the service has reports that this outbox does not know: the state "
        "directory was restored; new reports are numbered in a new epoch");
  }
  if (result.sent_again > 0) {
    LogWarning(
        "the service was restored from a backup: what it may have lost is sent "
        "again, and counts once",
        {{"reports", result.sent_again}});
  }
}

}  // namespace

void Reports::OnMessage(uint64_t number, const grpc::ByteBuffer& buffer) {
  v1::StreamReportsResponse response;
  bool parsed = false;
  WithBytes(buffer, [&](std::string_view bytes) {
    parsed =
        response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  });
  if (parsed && response.has_welcome()) {
    return OnWelcome(number, response.welcome());
  }
  if (parsed && response.has_receipt()) {
    return OnReceipt(number, response.receipt());
  }
  Cut(number, absl::InternalError(
                  "the service sent what is neither Welcome nor a receipt"));
}

void Reports::OnWelcome(uint64_t number, const v1::Welcome& welcome) {
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_ || phase_ != Phase::kGreeting) return;
  }
  const std::vector<v1::LaneMark> marks(welcome.marks().begin(),
                                        welcome.marks().end());
  const absl::StatusOr<WelcomeResult> result =
      options_.outbox->ApplyWelcome(welcome.service_epoch(), marks);
  if (!result.ok()) return Cut(number, result.status());
  Tell(*result);
  const absl::StatusOr<OutboxStats> stats = options_.outbox->reader().Stats();
  if (stats.ok()) backlog_.Begin(stats->waiting_reports);
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_ || phase_ != Phase::kGreeting) return;
    Progress();
    phase_ = Phase::kSending;
    Obey(welcome.pacing());
  }
  if (result->epochs_changed) return HalfClose(number);
  Wake();
}

absl::Status Reports::CheckReceipt(const std::string& sha256,
                                   const v1::ReportReceipt& receipt) const {
  if (receipt.lane() != v1::LANE_BILLING) {
    const bool has_result = receipt.lane() == v1::LANE_EVENTS
                                ? receipt.has_cluster_events()
                                : receipt.has_health_check();
    if (has_result) return absl::OkStatus();
    return absl::InternalError("the receipt holds no result");
  }
  if (!receipt.has_consumption()) {
    return absl::InternalError("the receipt holds no result");
  }
  return VerifyReceipt(receipt.signed_receipt(), options_.document_keys->keys(),
                       {.cluster_id = options_.cluster_id,
                        .epoch = receipt.epoch(),
                        .sequence = receipt.sequence(),
                        .report_sha256 = sha256});
}

void Reports::OnReceipt(uint64_t number, const v1::ReportReceipt& receipt) {
  MC_FAILPOINT("agent.receipt.before");
  std::string sha256;
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    const auto found =
        waiting_.find({receipt.lane(), receipt.epoch(), receipt.sequence()});
    // What was not asked on this stream is nobody's answer.
    if (found == waiting_.end()) return;
    sha256 = found->second.sha256;
    found->second.answered = true;
    Progress();
    if (!receipt.has_rejection()) Obey(receipt.pacing());
  }
  if (receipt.lane() == v1::LANE_HEALTH) {
    options_.on_health_pacing(receipt.pacing());
  }
  if (receipt.has_rejection()) {
    return Refuse(number, receipt, receipt.rejection());
  }
  const absl::Status good = CheckReceipt(sha256, receipt);
  if (good.ok()) return Accept(number, receipt);
  LogWarning("a receipt is not believed; its report is sent again later",
             {{"epoch", receipt.epoch()},
              {"sequence", receipt.sequence()},
              {"detail", std::string(good.message())}});
  v1::Rejection rejection;
  rejection.set_resendable(true);
  rejection.set_message(std::string(good.message()));
  Refuse(number, receipt, rejection);
}

void Reports::Accept(uint64_t number, const v1::ReportReceipt& receipt) {
  const ReportKey key{receipt.lane(), receipt.epoch(), receipt.sequence()};
  std::optional<v1::SignedDocument> signed_receipt;
  if (receipt.has_signed_receipt()) signed_receipt = receipt.signed_receipt();
  options_.outbox->Acknowledge(
      key, std::move(signed_receipt),
      [this, number, receipt](const absl::Status& status) {
        const Exchange exchange = ExchangeOf(receipt.lane());
        if (status.ok()) {
          options_.board->Succeeded(exchange);
          backlog_.Settled();
          if (receipt.has_consumption()) {
            options_.board->SetConsumption(receipt.consumption());
          } else if (receipt.has_health_check()) {
            options_.board->SetHealth(receipt.health_check());
          }
          absl::MutexLock lock(&mutex_);
          pacer_.Answered();
        } else {
          options_.board->Failed(exchange, status);
        }
        OnStored(number, {receipt.lane(), receipt.epoch(), receipt.sequence()},
                 status);
      });
}

void Reports::Refuse(uint64_t number, const v1::ReportReceipt& receipt,
                     const v1::Rejection& rejection) {
  const ReportKey key{receipt.lane(), receipt.epoch(), receipt.sequence()};
  const absl::Status why = StatusOf(rejection);
  // It would say so of every report.
  const bool busy = rejection.reason() == v1::ERROR_REASON_OVERLOADED ||
                    rejection.reason() == v1::ERROR_REASON_STORE_UNAVAILABLE;
  options_.board->Failed(ExchangeOf(receipt.lane()), why);
  absl::Duration pause;
  {
    absl::MutexLock lock(&mutex_);
    // A receipt that is not believed has no reason of the contract; another
    // attempt soon would get the same one.
    pause = rejection.reason() == v1::ERROR_REASON_UNSPECIFIED
                ? Jittered(options_.pacer.backoff_max, kJitter, options_.draw)
                : pacer_.After(why, receipt.pacing());
    if (busy) HoldFor(pause);
  }
  if (!rejection.resendable()) {
    backlog_.Settled();
    TellRefusal(receipt);
  }
  options_.outbox->Reject(
      key, rejection, options_.clock->Now() + pause,
      [this, number, key](const absl::Status& status) {
        OnStored(number, {key.lane, key.epoch, key.sequence}, status);
      });
  // Not before the outbox hands it out again.
  if (rejection.resendable()) WakeAfter(pause);
}

void Reports::TellRefusal(const v1::ReportReceipt& receipt) {
  const v1::ErrorReason reason = receipt.rejection().reason();
  // A taken number is drawn anew. Events that tell of refused events would be
  // refused, too; and the next health check is due soon.
  if (options_.events == nullptr || receipt.lane() != v1::LANE_BILLING ||
      reason == v1::ERROR_REASON_REPORT_CONFLICT) {
    return;
  }
  v1::ClusterEvent event;
  event.set_type(v1::CLUSTER_EVENT_TYPE_OUTBOX_TROUBLE);
  event.mutable_outbox()->set_problem(absl::StrCat(
      "the service refuses consumption for good: ", ReasonName(reason)));
  event.mutable_outbox()->set_affected_rows(1);
  options_.events->Raise(std::move(event));
}

void Reports::OnStored(uint64_t number, const Key& key,
                       const absl::Status& status) {
  if (!status.ok()) {
    LogError("what became of a report could not be kept; it is sent again",
             {{"detail", std::string(status.message())}});
    {
      absl::MutexLock lock(&mutex_);
      HoldFor(DiskPause());
    }
    return Cut(number, status);
  }
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return;
    waiting_bytes_ -= found->second.size_bytes;
    waiting_.erase(found);
  }
  Wake();
}

void Reports::Obey(const v1::Pacing& pacing) {
  const absl::Duration wish = RetryAfter(absl::OkStatus(), pacing);
  if (wish <= absl::ZeroDuration()) return;
  // Never before it, and not all agents at once after it.
  HoldFor(wish * (1 + kJitter * options_.draw()));
}

}  // namespace mc::agent

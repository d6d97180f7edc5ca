#include "cluster-agent/exchange/reports.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/rpc/byte_buffer.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr char kMethod[] = "/missioncontrol.v1.ClusterService/StreamReports";
// What is read from the outbox at a time, at most.
constexpr size_t kMaxBatchBytes = 4 << 20;
// Consumption first: it is what may not be late. The state of the cluster comes
// last, for it is the newest whenever it comes.
constexpr std::array kLanes = {v1::LANE_BILLING, v1::LANE_EVENTS,
                               v1::LANE_HEALTH};

Exchange ExchangeOf(v1::Lane lane) {
  return lane == v1::LANE_BILLING  ? Exchange::kConsumption
         : lane == v1::LANE_EVENTS ? Exchange::kClusterEvents
                                   : Exchange::kHealthCheck;
}

grpc::ByteBuffer BytesOf(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

bool SameEpochs(const std::vector<v1::LaneEpoch>& a,
                const std::vector<v1::LaneEpoch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const v1::LaneEpoch& x, const v1::LaneEpoch& y) {
                      return x.lane() == y.lane() && x.epoch() == y.epoch();
                    });
}

// As the calls' errors are, for status and pacing.
absl::Status StatusOf(const v1::Rejection& rejection) {
  return Error(rejection.resendable() ? absl::StatusCode::kUnavailable
                                      : absl::StatusCode::kFailedPrecondition,
               rejection.reason(), rejection.message());
}

}  // namespace

Reports::Reports(Options options)
    : options_(std::move(options)), pacer_(options_.pacer, options_.draw) {}

void Reports::Open() {
  {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  Wake();
}

void Reports::Hold() {
  absl::MutexLock lock(&mutex_);
  open_ = false;
}

void Reports::Close() {
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    number = number_;
  }
  HalfClose(number);
}

void Reports::Wake() {
  absl::MutexLock lock(&mutex_);
  again_ = true;
  if (working_ || stopped_) return;
  working_ = options_.executor->TryRun([this] { Work(); });
}

void Reports::WakeAt(absl::Time at) {
  options_.timers->Schedule(at, [this] { Wake(); });
}

void Reports::Work() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (!again_ || stopped_) {
        working_ = false;
        return;
      }
      again_ = false;
    }
    const absl::Status status = WorkOnce();
    if (status.ok()) continue;
    // The disk; the reports stay where they are.
    uint64_t number = 0;
    absl::Time retry_at;
    {
      absl::MutexLock lock(&mutex_);
      number = number_;
      retry_at = options_.clock->Now() + options_.pacer.backoff_max;
      not_before_ = retry_at;
    }
    for (const v1::Lane lane : kLanes) {
      options_.board->Failed(ExchangeOf(lane), status);
    }
    Cut(number, status);
    WakeAt(retry_at);
  }
}

absl::Status Reports::WorkOnce() {
  Phase phase;
  {
    absl::MutexLock lock(&mutex_);
    if (options_.clock->Now() < not_before_) return absl::OkStatus();
    if (phase_ == Phase::kClosed && !open_) return absl::OkStatus();
    phase = phase_;
  }
  if (phase == Phase::kClosed) return OpenIfAnythingWaits();
  if (phase == Phase::kSending) return SendMore();
  return absl::OkStatus();
}

absl::StatusOr<bool> Reports::AnythingWaits(const Epochs& epochs) {
  for (const v1::LaneEpoch& epoch : epochs) {
    if (std::find(kLanes.begin(), kLanes.end(), epoch.lane()) == kLanes.end()) {
      continue;
    }
    const absl::StatusOr<std::vector<OutboxReport>> next =
        options_.outbox->Next({epoch.lane(), epoch.epoch(), 0}, 1, 1);
    if (!next.ok()) return next.status();
    if (!next->empty()) return true;
  }
  return false;
}

absl::Status Reports::OpenIfAnythingWaits() {
  const absl::StatusOr<Epochs> epochs = options_.outbox->Epochs();
  if (!epochs.ok()) return epochs.status();
  const absl::StatusOr<bool> waits = AnythingWaits(*epochs);
  if (!waits.ok()) return waits.status();
  if (!*waits) return absl::OkStatus();
  v1::StreamReportsRequest request;
  v1::Hello& hello = *request.mutable_hello();
  hello.set_cluster_id(options_.cluster_id);
  hello.set_agent_instance_id(options_.agent_instance_id);
  hello.mutable_epochs()->Assign(epochs->begin(), epochs->end());

  absl::MutexLock lock(&mutex_);
  if (stopped_) return absl::OkStatus();
  epochs_ = *epochs;
  sent_up_to_.clear();
  waiting_.clear();
  stream_ = OpenStream(++number_);
  if (stream_ == nullptr) return absl::OkStatus();
  phase_ = Phase::kGreeting;
  stream_->Send(ToByteBuffer(request));
  Progress();
  return absl::OkStatus();
}

std::shared_ptr<Reports::Stream> Reports::OpenStream(uint64_t number) {
  return Stream::Open(
      {.in_flight = options_.in_flight,
       .executor = options_.executor,
       .on_message =
           [this, number](grpc::ByteBuffer& buffer) {
             OnMessage(number, buffer);
           },
       .on_over = [this, number](
                      const absl::Status& status) { OnOver(number, status); }},
      [this](grpc::ClientContext* context, Stream::Reactor* reactor) {
        options_.stub->PrepareBidiStreamingCall(context, kMethod,
                                                grpc::StubOptions(), reactor);
      });
}

absl::Status Reports::SendMore() {
  Epochs epochs;
  {
    absl::MutexLock lock(&mutex_);
    epochs = epochs_;
  }
  for (const v1::Lane lane : kLanes) {
    for (const v1::LaneEpoch& epoch : epochs) {
      if (epoch.lane() != lane) continue;
      absl::Status status = SendLane(epoch);
      if (!status.ok()) return status;
    }
  }
  {
    absl::MutexLock lock(&mutex_);
    if (!waiting_.empty()) return absl::OkStatus();
  }
  return Settle();
}

absl::Status Reports::SendLane(const v1::LaneEpoch& epoch) {
  ReportKey after{epoch.lane(), epoch.epoch(), 0};
  size_t room = 0;
  {
    absl::MutexLock lock(&mutex_);
    after.sequence = sent_up_to_[epoch.lane()];
    room = options_.window - std::min(options_.window, waiting_.size());
  }
  if (room == 0) return absl::OkStatus();
  const absl::StatusOr<std::vector<OutboxReport>> next =
      options_.outbox->Next(after, room, kMaxBatchBytes);
  if (!next.ok()) return next.status();
  for (const OutboxReport& report : *next) {
    options_.board->Attempted(ExchangeOf(report.key.lane));
    absl::MutexLock lock(&mutex_);
    if (phase_ != Phase::kSending) return absl::OkStatus();
    sent_up_to_[report.key.lane] = report.key.sequence;
    waiting_[{report.key.lane, report.key.epoch, report.key.sequence}] =
        Sha256(report.request);
    MC_FAILPOINT("agent.send.before");
    stream_->Send(BytesOf(report.request));
    MC_FAILPOINT("agent.send.after");
    Progress();
  }
  return absl::OkStatus();
}

absl::Status Reports::Settle() {
  const absl::StatusOr<Epochs> epochs = options_.outbox->Epochs();
  if (!epochs.ok()) return epochs.status();
  uint64_t number = 0;
  uint64_t progress = 0;
  bool other_epochs = false;
  {
    absl::MutexLock lock(&mutex_);
    number = number_;
    progress = progress_;
    other_epochs = !SameEpochs(*epochs, epochs_);
  }
  if (other_epochs) {
    const absl::StatusOr<bool> waits = AnythingWaits(*epochs);
    if (!waits.ok()) return waits.status();
    if (*waits) {
      HalfClose(number);
      return absl::OkStatus();
    }
  }
  options_.timers->ScheduleAfter(options_.idle, [this, number, progress] {
    {
      absl::MutexLock lock(&mutex_);
      if (number != number_ || progress != progress_ || !waiting_.empty()) {
        return;
      }
    }
    HalfClose(number);
  });
  return absl::OkStatus();
}

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
  const absl::StatusOr<bool> changed = options_.outbox->ApplyWelcome(marks);
  if (!changed.ok()) return Cut(number, changed.status());
  const absl::Time now = options_.clock->Now();
  const absl::Duration hold = RetryAfter(absl::OkStatus(), welcome.pacing());
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_ || phase_ != Phase::kGreeting) return;
    Progress();
    phase_ = Phase::kSending;
    not_before_ = now + hold;
  }
  if (hold > absl::ZeroDuration()) WakeAt(now + hold);
  if (*changed) {
    LogWarning(
        "the service has reports that this outbox does not know: the state "
        "directory was restored; new reports are numbered in a new epoch");
    return HalfClose(number);
  }
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
    sha256 = found->second;
    Progress();
    const absl::Duration hold = RetryAfter(absl::OkStatus(), receipt.pacing());
    if (hold > absl::ZeroDuration() && !receipt.has_rejection()) {
      not_before_ = options_.clock->Now() + hold;
      WakeAt(not_before_);
    }
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
  options_.board->Failed(ExchangeOf(receipt.lane()), why);
  absl::Time not_before;
  {
    absl::MutexLock lock(&mutex_);
    // A receipt that is not believed has no reason of the contract; another
    // attempt soon would get the same one.
    const absl::Duration pause =
        rejection.reason() == v1::ERROR_REASON_UNSPECIFIED
            ? Jittered(options_.pacer.backoff_max, kJitter, options_.draw)
            : pacer_.After(why, receipt.pacing());
    not_before = options_.clock->Now() + pause;
  }
  if (rejection.resendable()) {
    WakeAt(not_before);
  } else {
    TellRefusal(receipt);
  }
  options_.outbox->Reject(
      key, rejection, not_before,
      [this, number, key](const absl::Status& status) {
        OnStored(number, {key.lane, key.epoch, key.sequence}, status);
      });
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
    return Cut(number, status);
  }
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    waiting_.erase(key);
  }
  Wake();
}

void Reports::OnOver(uint64_t number, const absl::Status& status) {
  absl::Status end = status;
  std::vector<v1::Lane> failed;
  absl::Time retry_at = options_.clock->Now();
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    const bool unfinished =
        phase_ == Phase::kGreeting || !waiting_.empty() || !status.ok();
    if (unfinished && end.ok()) {
      end = absl::UnavailableError("the service ended the stream");
    }
    if (!end.ok() && !stopped_) {
      for (const v1::Lane lane : kLanes) {
        const bool waited = std::any_of(
            waiting_.begin(), waiting_.end(), [lane](const auto& sent) {
              return std::get<0>(sent.first) == lane;
            });
        if (waited || phase_ == Phase::kGreeting) failed.push_back(lane);
      }
      retry_at += pacer_.After(end, v1::Pacing());
      not_before_ = std::max(not_before_, retry_at);
    }
    phase_ = Phase::kClosed;
    stream_ = nullptr;
    waiting_.clear();
  }
  for (const v1::Lane lane : failed) {
    options_.board->Failed(ExchangeOf(lane), end);
  }
  WakeAt(retry_at);
  options_.on_over(end);
}

void Reports::Cut(uint64_t number, const absl::Status& why) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    stream = stream_;
  }
  if (stream != nullptr) stream->Cancel(why);
}

void Reports::HalfClose(uint64_t number) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_ || stream_ == nullptr) return;
    phase_ = Phase::kClosing;
    stream = stream_;
    Progress();
  }
  stream->HalfClose();
}

void Reports::Progress() {
  const uint64_t progress = ++progress_;
  options_.timers->ScheduleAfter(
      options_.liveness,
      [this, number = number_, progress] { CheckLiveness(number, progress); });
}

void Reports::CheckLiveness(uint64_t number, uint64_t progress) {
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_ || progress != progress_) return;
    // Nothing is asked of the service.
    if (phase_ == Phase::kSending && waiting_.empty()) return;
  }
  Cut(number, absl::DeadlineExceededError("the service does not answer"));
}

}  // namespace mc::agent

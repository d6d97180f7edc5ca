#include "cluster-agent/exchange/reports.h"

#include <algorithm>
#include <utility>

#include "cluster-agent/exchange/reports_lanes.h"
#include "common/crypto/digest.h"
#include "common/failpoint/failpoint.h"
#include "common/rpc/byte_buffer.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

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

}  // namespace

Reports::Reports(Options options)
    : options_(std::move(options)),
      backlog_(options_.clock, options_.board),
      pacer_(options_.pacer, options_.draw) {}

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

void Reports::HoldFor(absl::Duration pause) {
  not_before_ = std::max(not_before_, options_.clock->SinceBoot() + pause);
  WakeAfter(pause);
}

void Reports::WakeAfter(absl::Duration pause) {
  options_.timers->ScheduleAfter(pause, [this] { Wake(); });
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
    {
      absl::MutexLock lock(&mutex_);
      number = number_;
      HoldFor(DiskPause());
    }
    for (const v1::Lane lane : kReportLanes) {
      options_.board->Failed(ExchangeOf(lane), status);
    }
    Cut(number, status);
  }
}

absl::Status Reports::WorkOnce() {
  Phase phase;
  bool moves = false;
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    number = number_;
    moves = phase_ == Phase::kSending && link_ != options_.links->Get();
    if (!moves && options_.clock->SinceBoot() < not_before_) {
      return absl::OkStatus();
    }
    if (phase_ == Phase::kClosed && !open_) return absl::OkStatus();
    phase = phase_;
  }
  if (moves) {
    // What was sent on it is still answered.
    HalfClose(number);
    return absl::OkStatus();
  }
  if (phase == Phase::kClosed) return OpenIfAnythingWaits();
  if (phase == Phase::kSending) return SendMore();
  return absl::OkStatus();
}

absl::StatusOr<bool> Reports::AnythingWaits(const Epochs& epochs) {
  for (const v1::LaneEpoch& epoch : epochs) {
    if (std::find(kReportLanes.begin(), kReportLanes.end(), epoch.lane()) ==
        kReportLanes.end()) {
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
  ForgetWaiting();
  stream_ = OpenStream(++number_);
  if (stream_ == nullptr) return absl::OkStatus();
  phase_ = Phase::kGreeting;
  stream_->Send(ToByteBuffer(request));
  Progress();
  return absl::OkStatus();
}

absl::Status Reports::SendMore() {
  Epochs epochs;
  {
    absl::MutexLock lock(&mutex_);
    epochs = epochs_;
  }
  for (const v1::Lane lane : kReportLanes) {
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
  size_t room_bytes = 0;
  {
    absl::MutexLock lock(&mutex_);
    after.sequence = sent_up_to_[epoch.lane()];
    room = options_.window - std::min(options_.window, waiting_.size());
    room_bytes =
        options_.window_bytes - std::min(options_.window_bytes, waiting_bytes_);
  }
  if (room == 0 || room_bytes == 0) return absl::OkStatus();
  const absl::StatusOr<std::vector<OutboxReport>> next =
      options_.outbox->Next(after, room, room_bytes);
  if (!next.ok()) return next.status();
  for (const OutboxReport& report : *next) {
    const size_t size = report.request.size();
    absl::MutexLock lock(&mutex_);
    if (phase_ != Phase::kSending) return absl::OkStatus();
    // One that is larger than the window goes alone.
    if (!waiting_.empty() && waiting_bytes_ + size > options_.window_bytes) {
      return absl::OkStatus();
    }
    options_.board->Attempted(ExchangeOf(report.key.lane));
    sent_up_to_[report.key.lane] = report.key.sequence;
    waiting_[{report.key.lane, report.key.epoch, report.key.sequence}] = {
        .sha256 = Sha256(report.request), .size_bytes = size};
    waiting_bytes_ += size;
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

}  // namespace mc::agent

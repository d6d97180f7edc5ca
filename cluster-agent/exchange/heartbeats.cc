#include "cluster-agent/exchange/heartbeats.h"

#include <algorithm>
#include <utility>

namespace mc::agent {

namespace v1 = missioncontrol::v1;

Heartbeats::Heartbeats(Options options)
    : options_(std::move(options)), pacer_(options_.pacer, options_.draw) {}

void Heartbeats::Open() {
  absl::MutexLock lock(&mutex_);
  if (open_ || closed_) return;
  open_ = true;
  Schedule(std::max(absl::ZeroDuration(), not_before_ - options_.clock->Now()));
}

void Heartbeats::Hold() {
  absl::MutexLock lock(&mutex_);
  open_ = false;
}

void Heartbeats::Move() {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || stream_ == nullptr || moving_) return;
    moving_ = true;
    stream = stream_;
    options_.timers->ScheduleAfter(
        options_.liveness,
        [this, number = stream_number_] { CutMoving(number); });
  }
  stream->HalfClose();
}

void Heartbeats::CutMoving(uint64_t stream_number) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (stream_number != stream_number_ || !moving_) return;
    stream = stream_;
  }
  if (stream == nullptr) return;
  stream->Cancel(absl::DeadlineExceededError("the stream does not end"));
}

void Heartbeats::Close() {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    ++round_;
    stream = std::move(stream_);
  }
  if (stream != nullptr) stream->HalfClose();
}

void Heartbeats::Schedule(absl::Duration pause) {
  const uint64_t round = ++round_;
  const absl::Time at = options_.clock->Now() + pause;
  options_.board->Next(Exchange::kHeartbeat, at);
  options_.timers->Schedule(at, [this, round] { Due(round); });
}

void Heartbeats::Due(uint64_t round) {
  {
    absl::MutexLock lock(&mutex_);
    if (round != round_ || closed_) return;
    if (!open_ && stream_ == nullptr) return;
    if (!options_.executor->TryRun([this] { Beat(); })) {
      Schedule(options_.pacer.backoff_initial);
    }
  }
}

std::shared_ptr<Heartbeats::Stream> Heartbeats::OpenStream(
    uint64_t stream_number) {
  const std::shared_ptr<ClusterLink> link = options_.links->Get();
  return Stream::Open(
      {.in_flight = options_.in_flight,
       .executor = options_.executor,
       .on_message =
           [this, stream_number](v1::StreamHeartbeatsResponse& answer) {
             OnAnswer(stream_number, answer);
           },
       .on_over =
           [this, stream_number, link](const absl::Status& status) {
             OnOver(stream_number, link, status);
           }},
      [&link](grpc::ClientContext* context, Stream::Reactor* reactor) {
        link->stub->async()->StreamHeartbeats(context, reactor);
      });
}

void Heartbeats::Beat() {
  std::vector<v1::StreamHeartbeatsRequest> beats = options_.beats();
  absl::MutexLock lock(&mutex_);
  // The next stream begins with a beat.
  if (closed_ || moving_) return;
  if (stream_ == nullptr) {
    sent_ = answered_ = 0;
    stream_ = OpenStream(++stream_number_);
    if (stream_ == nullptr) return;
  }
  options_.board->Attempted(Exchange::kHeartbeat);
  for (v1::StreamHeartbeatsRequest& beat : beats) {
    stream_->Send(std::move(beat));
    ++sent_;
  }
  options_.timers->ScheduleAfter(
      options_.liveness, [this, number = stream_number_, expected = sent_] {
        CheckAnswers(number, expected);
      });
  Schedule(std::max(pacer_.Interval(pacing_),
                    RetryAfter(absl::OkStatus(), pacing_)));
}

void Heartbeats::CheckAnswers(uint64_t stream_number, int64_t expected) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (stream_number != stream_number_ || answered_ >= expected) return;
    stream = stream_;
  }
  if (stream == nullptr) return;
  stream->Cancel(
      absl::DeadlineExceededError("the service does not answer heartbeats"));
}

void Heartbeats::OnAnswer(uint64_t stream_number,
                          const v1::StreamHeartbeatsResponse& answer) {
  if (options_.on_directive) {
    for (const v1::Directive& directive : answer.directives()) {
      options_.on_directive(directive);
    }
  }
  absl::MutexLock lock(&mutex_);
  if (stream_number != stream_number_) return;
  pacing_ = answer.pacing();
  // What the service says unasked answers no beat.
  if (answered_ < sent_ && ++answered_ == sent_) {
    pacer_.Answered();
    options_.board->Succeeded(Exchange::kHeartbeat);
  }
}

void Heartbeats::Reopen(uint64_t stream_number) {
  absl::MutexLock lock(&mutex_);
  if (stream_number != stream_number_ || closed_) return;
  stream_ = nullptr;
  moving_ = false;
  if (open_) Schedule(absl::ZeroDuration());
}

void Heartbeats::OnOver(uint64_t stream_number,
                        const std::shared_ptr<ClusterLink>& link,
                        const absl::Status& status) {
  bool moved = false;
  {
    absl::MutexLock lock(&mutex_);
    moved = stream_number == stream_number_ && moving_;
  }
  if (moved) return Reopen(stream_number);
  if (options_.links->TryElsewhere(
          status, link, [this, stream_number] { Reopen(stream_number); })) {
    return;
  }
  // The service ends no stream with OK that we have not half-closed.
  const absl::Status end =
      status.ok() ? absl::UnavailableError("the service ended the stream")
                  : status;
  {
    absl::MutexLock lock(&mutex_);
    if (stream_number != stream_number_ || closed_) return;
    stream_ = nullptr;
    const absl::Duration pause = pacer_.After(end, v1::Pacing());
    not_before_ = options_.clock->Now() + pause;
    // Whoever sees the failure sees when it is tried again, too.
    if (open_) Schedule(pause);
    options_.board->Failed(Exchange::kHeartbeat, end);
  }
  options_.on_over(end);
}

}  // namespace mc::agent

// The life of the reports stream.
#include <algorithm>
#include <utility>

#include "cluster-agent/exchange/reports.h"
#include "cluster-agent/exchange/reports_lanes.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr char kMethod[] = "/missioncontrol.v1.ClusterService/StreamReports";

}  // namespace

std::shared_ptr<Reports::Stream> Reports::OpenStream(uint64_t number) {
  const std::shared_ptr<ClusterLink> link = options_.links->Get();
  link_ = link;
  return Stream::Open(
      {.in_flight = options_.in_flight,
       .executor = options_.executor,
       .on_message =
           [this, number](grpc::ByteBuffer& buffer) {
             OnMessage(number, buffer);
           },
       .on_over =
           [this, number, link](const absl::Status& status) {
             OnOver(number, link, status);
           }},
      [&link](grpc::ClientContext* context, Stream::Reactor* reactor) {
        link->raw_stub.PrepareBidiStreamingCall(context, kMethod,
                                                grpc::StubOptions(), reactor);
      });
}

void Reports::Reopen(uint64_t number) {
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    phase_ = Phase::kClosed;
    stream_ = nullptr;
    link_ = nullptr;
    ForgetWaiting();
  }
  Wake();
}

void Reports::OnOver(uint64_t number, const std::shared_ptr<ClusterLink>& link,
                     const absl::Status& status) {
  if (options_.links->TryElsewhere(status, link,
                                   [this, number] { Reopen(number); })) {
    return;
  }
  absl::Status end = status;
  std::vector<v1::Lane> failed;
  {
    absl::MutexLock lock(&mutex_);
    if (number != number_) return;
    // What is answered is only still being written to the disk: a stream that
    // the agent half-closed may end meanwhile.
    const auto unanswered = [](const auto& sent) {
      return !sent.second.answered;
    };
    const bool unfinished =
        phase_ == Phase::kGreeting ||
        std::any_of(waiting_.begin(), waiting_.end(), unanswered);
    if (unfinished && end.ok()) {
      end = absl::UnavailableError("the service ended the stream");
    }
    if (!end.ok() && !stopped_) {
      for (const v1::Lane lane : kReportLanes) {
        const bool waited = std::any_of(
            waiting_.begin(), waiting_.end(), [&](const auto& sent) {
              return std::get<0>(sent.first) == lane && unanswered(sent);
            });
        if (waited || phase_ == Phase::kGreeting) failed.push_back(lane);
      }
      HoldFor(pacer_.After(end, v1::Pacing()));
    }
    phase_ = Phase::kClosed;
    stream_ = nullptr;
    link_ = nullptr;
    ForgetWaiting();
  }
  for (const v1::Lane lane : failed) {
    options_.board->Failed(ExchangeOf(lane), end);
  }
  Wake();
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

void Reports::ForgetWaiting() {
  waiting_.clear();
  waiting_bytes_ = 0;
}

absl::Duration Reports::DiskPause() const {
  return std::min(options_.pacer.backoff_max, absl::Seconds(20));
}

}  // namespace mc::agent

#include "cluster-agent/node/master_link.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/pacer.h"
#include "common/log/log.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

// How long a new connection may take until its Welcome.
constexpr absl::Duration kWelcomeTimeout = absl::Seconds(5);
// The contract's, where a Welcome says none or nonsense.
constexpr absl::Duration kDefaultInterval = absl::Seconds(30);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(50);
constexpr absl::Duration kLongestInterval = absl::Hours(1);
// A receipt takes milliseconds; a node that lets the connection go after two
// intervals is back before its master calls it silent.
constexpr absl::Duration kShortestPatience = absl::Seconds(2);
constexpr absl::Duration kLongestPatience = absl::Seconds(30);

absl::Duration IntervalOf(const v1::NodeWelcome& welcome) {
  const absl::StatusOr<absl::Duration> told =
      FromProto(welcome.report_interval());
  if (!told.ok() || *told <= absl::ZeroDuration()) return kDefaultInterval;
  return std::clamp(*told, kShortestInterval, kLongestInterval);
}

}  // namespace

MasterLink::MasterLink(Options options)
    : options_(std::move(options)),
      stub_(v1::SiteService::NewStub(options_.channel)) {}

std::shared_ptr<MasterLink> MasterLink::Open(Options options) {
  std::shared_ptr<MasterLink> link(new MasterLink(std::move(options)));
  const Options& with = link->options_;
  absl::MutexLock lock(&link->mutex_);
  link->stream_ = Stream::Open(
      {.in_flight = with.in_flight,
       .executor = with.executor,
       .on_message =
           [link](v1::StreamNodeReportsResponse& message) {
             link->OnMessage(message);
           },
       .on_over = [link](const absl::Status& end) { link->OnOver(end); }},
      [&link](grpc::ClientContext* context, Stream::Reactor* reactor) {
        link->stub_->async()->StreamNodeReports(context, reactor);
      });
  if (link->stream_ == nullptr) return nullptr;
  v1::StreamNodeReportsRequest hello;
  *hello.mutable_hello() = with.hello;
  link->stream_->Send(std::move(hello));
  link->ExpectAnswers(++link->sent_, kWelcomeTimeout);
  return link;
}

void MasterLink::ReportNow() {
  absl::MutexLock lock(&mutex_);
  if (ended_ || answered_ == 0) return;
  const int64_t round = ++round_;
  RunAfter(absl::ZeroDuration(), &MasterLink::ReportDue, round);
}

void MasterLink::Close() {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    stream = std::move(stream_);
  }
  if (stream != nullptr) stream->Cancel(absl::CancelledError("closed"));
}

void MasterLink::OnMessage(const v1::StreamNodeReportsResponse& message) {
  bool first = false;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_ || answered_ >= sent_) return;
    first = answered_++ == 0;
    if (first) interval_ = IntervalOf(message.welcome());
    if (message.has_receipt()) pacing_ = message.receipt().pacing();
  }
  if (!first) return options_.on_receipt();
  options_.on_welcome(message.welcome());
  Report();
}

void MasterLink::OnOver(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    stream_ = nullptr;
    if (std::exchange(ended_, true)) return;
  }
  // The master ends no stream with OK that we have not half-closed.
  options_.on_over(status.ok()
                       ? absl::UnavailableError("the master ended the stream")
                       : status);
}

void MasterLink::Report() {
  absl::StatusOr<v1::NodeReport> report = options_.report();
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  ScheduleReport();
  if (!report.ok()) {
    LogWarning("this node's values cannot be read; nothing is reported",
               {{"detail", std::string(report.status().message())}});
    return;
  }
  v1::StreamNodeReportsRequest request;
  *request.mutable_report() = *std::move(report);
  stream_->Send(std::move(request));
  ExpectAnswers(++sent_,
                std::clamp(2 * interval_, kShortestPatience, kLongestPatience));
}

void MasterLink::ScheduleReport() {
  const int64_t round = ++round_;
  RunAfter(
      Jittered(BoundedInterval(interval_, pacing_), kJitter, options_.draw),
      &MasterLink::ReportDue, round);
}

void MasterLink::ReportDue(int64_t round) {
  absl::MutexLock lock(&mutex_);
  if (ended_ || round != round_) return;
  if (!options_.executor->TryRun(
          [link = shared_from_this()] { link->Report(); })) {
    ScheduleReport();
  }
}

void MasterLink::ExpectAnswers(int64_t expected, absl::Duration within) {
  RunAfter(within, &MasterLink::CheckAnswers, expected);
}

void MasterLink::CheckAnswers(int64_t expected) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_ || answered_ >= expected) return;
    stream = stream_;
  }
  stream->Cancel(absl::DeadlineExceededError(
      expected == 1 ? "it does not answer in time"
                    : "it stopped answering reports"));
}

void MasterLink::RunAfter(absl::Duration delay,
                          void (MasterLink::*run)(int64_t), int64_t argument) {
  // A timer keeps no connection alive.
  options_.timers->ScheduleAfter(
      delay, [weak = weak_from_this(), run, argument] {
        const std::shared_ptr<MasterLink> link = weak.lock();
        if (link != nullptr) (link.get()->*run)(argument);
      });
}

}  // namespace mc::agent

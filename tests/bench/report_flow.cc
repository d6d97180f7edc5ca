#include "tests/bench/report_flow.h"

#include <utility>

#include "common/rpc/byte_buffer.h"
#include "common/time/proto_time.h"
#include "tests/bench/messages.h"

namespace mc::bench {
namespace {

constexpr char kWhat[] = "report";
constexpr std::string_view kStreamReports =
    "/missioncontrol.v1.ClusterService/StreamReports";

// 2020-01-01T00:00:00Z; the report's minute begins an hour.
absl::Time MinuteOf(uint64_t sequence) {
  return absl::FromUnixSeconds(1'577'836'800) +
         static_cast<int64_t>(sequence) * absl::Hours(1) + absl::Minutes(1);
}

v1::StreamReportsRequest MakeReport(const ReportFlow::Options& options,
                                    uint64_t sequence) {
  if (options.kind == ReportKind::kEvents) {
    return MakeEvents(options.cluster_id, options.epoch, sequence,
                      options.created_at);
  }
  v1::StreamReportsRequest request =
      MakeConsumption(options.cluster_id, options.epoch, sequence,
                      MinuteOf(sequence), options.hosts);
  *request.mutable_report()->mutable_created_at() = ToProto(options.created_at);
  return request;
}

}  // namespace

ReportFlow::ReportFlow(grpc::GenericStub& stub, Worker* worker, Options options)
    : worker_(worker), options_(std::move(options)) {
  context_.set_deadline(absl::ToChronoTime(options_.until + absl::Minutes(1)));
  call_ = stub.PrepareCall(&context_, options_.method, worker->queue());
  call_->StartCall(&started_);
}

void ReportFlow::OnStarted(bool ok) {
  if (!ok) return Finish();
  writing_ = true;
  call_->Write(ToByteBuffer(MakeHello(options_.cluster_id, options_.epoch)),
               &written_);
  call_->Read(&answer_, &read_);
}

void ReportFlow::OnRead(bool ok) {
  if (!ok) return Finish();
  if (greeted_) {
    OnReceipt();
  } else {
    greeted_ = true;
  }
  call_->Read(&answer_, &read_);
  MaybeSend();
}

void ReportFlow::OnReceipt() {
  // A mirrored report is no receipt.
  if (options_.method == kStreamReports) {
    v1::StreamReportsResponse response;
    const bool parsed = WithBytes(answer_, [&](std::string_view bytes) {
      (void)response.ParseFromArray(bytes.data(),
                                    static_cast<int>(bytes.size()));
    });
    if (!parsed || response.receipt().has_rejection()) {
      rejection_ = response.receipt().ShortDebugString();
    }
  }
  worker_->tally().Count(kWhat, worker_->now() - under_way_.front());
  under_way_.pop_front();
}

void ReportFlow::OnWritten(bool ok) {
  writing_ = false;
  if (over_) return MaybeEnd();
  if (ok) MaybeSend();
}

void ReportFlow::MaybeSend() {
  if (!greeted_ || writing_ || half_closed_ || finishing_) return;
  if (worker_->now() >= options_.until) {
    half_closed_ = true;
    writing_ = true;
    return call_->WritesDone(&written_);
  }
  if (under_way_.size() >= options_.window) return;
  const uint64_t sequence = options_.kind == ReportKind::kRepeats
                                ? repeated_++ % *options_.last_sequence + 1
                                : ++*options_.last_sequence;
  under_way_.push_back(worker_->now());
  writing_ = true;
  call_->Write(ToByteBuffer(MakeReport(options_, sequence)), &written_);
}

void ReportFlow::Finish() {
  finishing_ = true;
  call_->Finish(&status_, &finished_);
}

void ReportFlow::OnFinished(bool /*ok*/) {
  over_ = true;
  MaybeEnd();
}

void ReportFlow::MaybeEnd() {
  if (!over_ || writing_) return;
  const std::unique_ptr<ReportFlow> self(this);
  if (status_.ok() && !rejection_.empty()) {
    status_ = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                           "not accepted: " + rejection_);
  }
  if (status_.ok() && !under_way_.empty()) {
    status_ = grpc::Status(grpc::StatusCode::DATA_LOSS, "without an answer");
  }
  if (!status_.ok()) worker_->tally().Fail(kWhat, status_);
  options_.over();
}

}  // namespace mc::bench

#include "mc-service/api/reports_stream.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/digest.h"
#include "common/failpoint/failpoint.h"
#include "common/rpc/byte_buffer.h"
#include "mc-service/api/report_bytes.h"
#include "mc-service/domain/exchanges/summary.h"

namespace mc::service {
namespace {

absl::Status Malformed() {
  return Error(absl::StatusCode::kInvalidArgument,
               v1::ERROR_REASON_MALFORMED_MESSAGE,
               "the bytes are not a StreamReportsRequest");
}

absl::Status HelloExpected() {
  return Error(absl::StatusCode::kInvalidArgument,
               v1::ERROR_REASON_HELLO_EXPECTED,
               "the first message must be Hello, and only the first");
}

absl::Status EpochMismatch(v1::Lane lane) {
  return Error(
      absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_EPOCH_MISMATCH,
      absl::StrCat("Hello declared another epoch for ",
                   v1::Lane_IsValid(lane) ? v1::Lane_Name(lane) : "this lane"));
}

v1::Exchange ExchangeOf(v1::Lane lane) {
  switch (lane) {
    case v1::LANE_HEALTH:
      return v1::EXCHANGE_HEALTH_CHECK;
    case v1::LANE_BILLING:
      return v1::EXCHANGE_CONSUMPTION;
    case v1::LANE_EVENTS:
      return v1::EXCHANGE_CLUSTER_EVENTS;
    default:
      return v1::EXCHANGE_UNSPECIFIED;
  }
}

// The rejection as a status, for counts and records.
absl::Status StatusOf(const v1::ReportReceipt& receipt) {
  if (!receipt.has_rejection()) return absl::OkStatus();
  const v1::Rejection& rejection = receipt.rejection();
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  switch (rejection.reason()) {
    case v1::ERROR_REASON_STORE_UNAVAILABLE:
    case v1::ERROR_REASON_OVERLOADED:
      code = absl::StatusCode::kUnavailable;
      break;
    case v1::ERROR_REASON_REPORT_CONFLICT:
      code = absl::StatusCode::kAlreadyExists;
      break;
    default:
      break;
  }
  return Error(code, rejection.reason(), rejection.message());
}

}  // namespace

// One message at a time until Hello is answered.
ReportsStream::ReportsStream(grpc::CallbackServerContext* context,
                             const StreamDeps& deps, ReportDesk* desk,
                             ReportShares* shares)
    : ClusterStream(context, deps, StreamKind::kReports, kStreamReports,
                    /*max_unanswered=*/1),
      desk_(desk),
      shares_(shares) {}

void ReportsStream::OnMessage(grpc::ByteBuffer& buffer) {
  if (!WithBytes(buffer, [this](std::string_view bytes) { OnBytes(bytes); })) {
    Fail(Malformed());
  }
  buffer.Clear();
}

void ReportsStream::OnBytes(std::string_view bytes) {
  RecheckWhenDue();
  if (!request_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return OnMalformed(bytes);
  }
  switch (request_.message_case()) {
    case v1::StreamReportsRequest::kHello:
      if (hello_seen_) return Fail(HelloExpected());
      hello_seen_ = true;
      return OnHello(std::move(*request_.mutable_hello()));
    case v1::StreamReportsRequest::kReport:
      if (!hello_seen_) return Fail(HelloExpected());
      return OnReport(bytes);
    case v1::StreamReportsRequest::MESSAGE_NOT_SET:
      return Fail(hello_seen_ ? Malformed() : HelloExpected());
  }
}

void ReportsStream::OnMalformed(std::string_view bytes) {
  const std::optional<LenientKey> key = ReadKey(bytes);
  if (!hello_seen_ || !key.has_value()) return Fail(Malformed());
  SendReceipt(Reject(key->lane, key->epoch, key->sequence, Malformed(),
                     /*resendable=*/false),
              "a report that does not parse");
}

void ReportsStream::OnHello(v1::Hello hello) {
  if (!hello.cluster_id().empty() && hello.cluster_id() != cluster_id()) {
    return Fail(IdentityMismatch());
  }
  if (hello.cluster_id().empty()) {
    return Fail(
        InvalidField("hello.cluster_id", "Hello does not name its cluster"));
  }
  auto self = SelfAs<ReportsStream>();
  SubmitOrFail([self, hello = std::move(hello)] { self->Greet(hello); });
}

void ReportsStream::Greet(const v1::Hello& hello) {
  absl::StatusOr<v1::Welcome> welcome = desk_->Greet(hello);
  if (!welcome.ok()) return Fail(welcome.status());
  for (const v1::LaneEpoch& epoch : hello.epochs()) {
    epochs_[epoch.lane()] = epoch.epoch();
  }
  for (const v1::LaneMark& mark : welcome->marks()) {
    if (mark.lane() == v1::LANE_BILLING) {
      billing_mark_ = mark.highest_accepted_sequence();
    }
  }
  v1::StreamReportsResponse response;
  *response.mutable_welcome() = *std::move(welcome);
  Answer(ToByteBuffer(response));
  SetMaxUnanswered(deps().max_unanswered);
}

void ReportsStream::OnReport(std::string_view bytes) {
  v1::ReportEnvelope& report = *request_.mutable_report();
  const std::string_view named = PayloadClusterId(report);
  if (!named.empty() && named != cluster_id()) {
    return Fail(IdentityMismatch());
  }
  std::string summary;
  if (deps().exchanges->watched()) summary = Summarize(report);
  const auto epoch = epochs_.find(report.lane());
  if (epoch == epochs_.end() || epoch->second != report.epoch()) {
    return SendReceipt(Reject(report.lane(), report.epoch(), report.sequence(),
                              EpochMismatch(report.lane()),
                              /*resendable=*/false),
                       std::move(summary));
  }
  Submission submission{.cluster_id = cluster_id(),
                        .digest = Sha256(bytes),
                        .report = std::move(report)};
  if (submission.report.lane() == v1::LANE_BILLING) {
    submission.likely_repeat = submission.report.sequence() <= billing_mark_;
    billing_mark_ = std::max(billing_mark_, submission.report.sequence());
  }
  if (shares_->Take(cluster_id())) {
    return Submit(std::move(submission), std::move(summary));
  }
  // Until it has its place nothing more is read.
  SetMaxUnanswered(0);
  auto go_on = [self = SelfAs<ReportsStream>(),
                waiting = std::make_shared<Submission>(std::move(submission)),
                summary = std::move(summary)] {
    self->Submit(std::move(*waiting), summary);
    self->SetMaxUnanswered(self->deps().max_unanswered);
  };
  shares_->TakeOrWait(cluster_id(), [executor = deps().executor, go_on] {
    // This may be the store's thread, which has other things to do.
    if (!executor->TryRun(go_on)) go_on();
  });
}

void ReportsStream::Submit(Submission submission, std::string summary) {
  // The receipt may come on the store's thread, after the stream is over.
  auto done = [self = SelfAs<ReportsStream>(),
               summary = std::move(summary)](v1::ReportReceipt receipt) {
    self->shares_->Release(self->cluster_id());
    self->SendReceipt(std::move(receipt), summary);
  };
  desk_->Accept(std::move(submission), std::move(done));
}

void ReportsStream::SendReceipt(v1::ReportReceipt receipt,
                                std::string summary) {
  const v1::Exchange exchange = ExchangeOf(receipt.lane());
  if (exchange != v1::EXCHANGE_UNSPECIFIED) {
    Record(exchange, StatusOf(receipt), SummaryWith(receipt, summary));
  }
  v1::StreamReportsResponse response;
  *response.mutable_receipt() = std::move(receipt);
  MC_FAILPOINT("service.receipt.before");
  Answer(ToByteBuffer(response));
  MC_FAILPOINT("service.receipt.after");
}

}  // namespace mc::service

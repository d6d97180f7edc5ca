// What the administrator sees of the outbox.
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/local/agent_service.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Unary = grpc::ServerUnaryReactor;

constexpr int kMaxPageSize = 1000;

absl::Status CheckPageSize(int size) {
  if (size >= 0 && size <= kMaxPageSize) return absl::OkStatus();
  return InvalidField("page_size", "must be from 1 to 1000");
}

v1::OutboxEntryState StateOf(ReportState state) {
  switch (state) {
    case ReportState::kWaiting:
      return v1::OUTBOX_ENTRY_STATE_WAITING;
    case ReportState::kRejected:
      return v1::OUTBOX_ENTRY_STATE_REJECTED;
    case ReportState::kDamaged:
      return v1::OUTBOX_ENTRY_STATE_DAMAGED;
    case ReportState::kAcknowledged:
      return v1::OUTBOX_ENTRY_STATE_ACKNOWLEDGED;
  }
  return v1::OUTBOX_ENTRY_STATE_UNSPECIFIED;
}

}  // namespace

v1::OutboxEntry ToProto(const ListedReport& report) {
  v1::OutboxEntry entry;
  entry.set_lane(report.key.lane);
  entry.set_epoch(report.key.epoch);
  entry.set_sequence(report.key.sequence);
  *entry.mutable_created_at() = mc::ToProto(report.created_at);
  entry.set_size_bytes(report.size_bytes);
  entry.set_attempts(report.attempts);
  entry.set_waiting_for(report.waiting_for);
  entry.set_rejection(report.rejection);
  entry.set_state(StateOf(report.state));
  return entry;
}

v1::ListOutboxResponse ToProto(const ListedReports& listed) {
  v1::ListOutboxResponse response;
  for (const ListedReport& report : listed.reports) {
    *response.add_entries() = ToProto(report);
  }
  response.set_next_page_token(listed.next_page_token);
  return response;
}

absl::StatusOr<v1::GetOutboxReportResponse> ToProto(const FoundReport& found) {
  v1::GetOutboxReportResponse response;
  *response.mutable_entry() = ToProto(found.listed);
  if (found.request.empty()) return response;
  v1::StreamReportsRequest request;
  if (!request.ParseFromString(found.request)) {
    return absl::DataLossError("the report cannot be read; check the disk");
  }
  *response.mutable_report() = std::move(*request.mutable_report());
  return response;
}

Unary* LocalAgentService::ListOutbox(Context* context,
                                     const v1::ListOutboxRequest* request,
                                     v1::ListOutboxResponse* response) {
  return RunAsAdmin(context, [this, request, response] {
    absl::Status status = CheckPageSize(request->page_size());
    if (status.ok()) status = MasterOnly();
    if (!status.ok()) return status;
    const absl::StatusOr<ListedReports> listed = deps_.outbox->reader().List(
        request->page_size(), request->page_token(), deps_.clock->Now(),
        request->include_acknowledged());
    if (listed.ok()) *response = ToProto(*listed);
    return listed.status();
  });
}

Unary* LocalAgentService::GetOutboxReport(
    Context* context, const v1::GetOutboxReportRequest* request,
    v1::GetOutboxReportResponse* response) {
  return RunAsAdmin(context, [this, request, response] {
    const absl::Status here = MasterOnly();
    if (!here.ok()) return here;
    const absl::StatusOr<FoundReport> found = deps_.outbox->reader().Find(
        {request->lane(), request->epoch(), request->sequence()},
        deps_.clock->Now());
    if (absl::IsNotFound(found.status())) {
      return Error(
          absl::StatusCode::kNotFound, v1::ERROR_REASON_UNKNOWN_RESOURCE,
          {found.status().message().data(), found.status().message().size()});
    }
    if (!found.ok()) return found.status();
    absl::StatusOr<v1::GetOutboxReportResponse> shown = ToProto(*found);
    if (shown.ok()) *response = *std::move(shown);
    return shown.status();
  });
}

Unary* LocalAgentService::ListReceipts(Context* context,
                                       const v1::ListReceiptsRequest* request,
                                       v1::ListReceiptsResponse* response) {
  return RunAsAdmin(context, [this, request, response] {
    absl::Status status = CheckPageSize(request->page_size());
    if (status.ok()) status = MasterOnly();
    if (!status.ok()) return status;
    absl::StatusOr<KeptReceipts> kept = deps_.outbox->reader().ListReceipts(
        request->page_size(), request->page_token());
    if (!kept.ok()) return kept.status();
    for (KeptReceipt& receipt : kept->receipts) {
      if (receipt.document.has_value()) {
        *response->add_receipts() = *std::move(receipt.document);
      } else {
        LogError("a receipt is damaged; check the disk",
                 {{"epoch", receipt.epoch}, {"sequence", receipt.sequence}});
      }
    }
    response->set_next_page_token(kept->next_page_token);
    return absl::OkStatus();
  });
}

}  // namespace mc::agent

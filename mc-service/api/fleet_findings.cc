#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/fleet/page_token.h"

namespace mc::service {
namespace {

v1::ClusterFinding ToProto(const StoredFinding& finding) {
  const Sighting& last = finding.last;
  v1::ClusterFinding proto;
  proto.set_finding_id(finding.id);
  proto.set_cluster_id(last.key.cluster_id);
  proto.set_kind(last.key.kind);
  proto.set_severity(last.severity);
  proto.set_message(last.message);
  *proto.mutable_first_at() = mc::ToProto(finding.first_at);
  *proto.mutable_last_at() = mc::ToProto(last.at);
  proto.set_count(finding.count);
  if (finding.closed_at.has_value()) {
    *proto.mutable_closed_at() = mc::ToProto(*finding.closed_at);
  }
  if (last.time_frame.has_value()) {
    v1::TimeFrame& frame = *proto.mutable_time_frame();
    // A side that is not known stays absent.
    if (last.time_frame->start != absl::InfinitePast()) {
      *frame.mutable_start() = mc::ToProto(last.time_frame->start);
    }
    if (last.time_frame->end != absl::InfiniteFuture()) {
      *frame.mutable_end() = mc::ToProto(last.time_frame->end);
    }
  }
  return proto;
}

}  // namespace

grpc::ServerUnaryReactor* FleetService::ListFindings(
    grpc::CallbackServerContext* context,
    const v1::ListFindingsRequest* request,
    v1::ListFindingsResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListFindings",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        const std::string listing = absl::StrCat(
            "findings of ", request->cluster_id(), ", kind ", request->kind(),
            ", closed ", request->include_closed());
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        const FindingFilter filter{.cluster_id = request->cluster_id(),
                                   .kind = request->kind(),
                                   .include_closed = request->include_closed()};
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          const auto findings = reader.ListFindings(filter, *page);
          if (!findings.ok()) return findings.status();
          for (const StoredFinding& finding : findings->items) {
            *response->add_findings() = ToProto(finding);
          }
          response->set_next_page_token(MakePageToken(listing, findings->next));
          return absl::OkStatus();
        });
      });
}

}  // namespace mc::service

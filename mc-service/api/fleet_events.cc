#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"
#include "mc-service/api/fleet_service.h"
#include "mc-service/domain/fleet/page_token.h"

namespace mc::service {

grpc::ServerUnaryReactor* FleetService::ListEvents(
    grpc::CallbackServerContext* context, const v1::ListEventsRequest* request,
    v1::ListEventsResponse* response) {
  return options_.calls->Unary(
      context, "/missioncontrol.v1.FleetService/ListEvents",
      v1::EXCHANGE_UNSPECIFIED, request, response,
      [=, this](const Caller&, std::string*) -> absl::Status {
        // With the filter, so that a token of one does not serve for another.
        const std::string listing =
            absl::StrCat("events ", request->type(), " ", request->severity(),
                         " ", request->cluster_id());
        const auto page =
            ParsePage(listing, request->page_size(), request->page_token());
        if (!page.ok()) return page.status();
        return options_.store->Read([&](Reader& reader) -> absl::Status {
          auto events = reader.ListEvents({.cluster_id = request->cluster_id(),
                                           .type = request->type(),
                                           .severity = request->severity()},
                                          *page);
          if (!events.ok()) return events.status();
          for (StoredEvent& stored : events->items) {
            v1::FleetEvent& event = *response->add_events();
            event.set_cluster_id(std::move(stored.cluster_id));
            *event.mutable_received_at() = ToProto(stored.received_at);
            *event.mutable_event() = std::move(stored.event);
          }
          response->set_next_page_token(MakePageToken(listing, events->next));
          return absl::OkStatus();
        });
      });
}

}  // namespace mc::service

// The product's events, and the list of those that are kept.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/events/event.h"
#include "cluster-agent/local/agent_service.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr int kMaxEvents = 100;

absl::StatusOr<std::vector<v1::ClusterEvent>> EventsOf(
    const v1::RecordEventsRequest& request, absl::Time now) {
  if (request.events_size() > kMaxEvents) {
    return InvalidField("events", "more than 100; send them in parts");
  }
  const absl::Status formats = CheckMessage(request);
  if (!formats.ok()) return formats;
  std::vector<v1::ClusterEvent> events(request.events().begin(),
                                       request.events().end());
  for (size_t i = 0; i < events.size(); ++i) {
    const absl::Status valid = CheckEvent(events[i]);
    if (!valid.ok()) {
      return InvalidField(absl::StrCat("events[", i, "]"),
                          std::string(valid.message()));
    }
    CompleteEvent(events[i], now);
  }
  return events;
}

}  // namespace

v1::ListRecordedEventsResponse ToProto(ListedEvents listed) {
  v1::ListRecordedEventsResponse response;
  for (v1::RecordedEvent& event : listed.events) {
    *response.add_events() = std::move(event);
  }
  response.set_next_page_token(std::move(listed.next_page_token));
  return response;
}

grpc::ServerUnaryReactor* LocalAgentService::RecordEvents(
    Context* context, const v1::RecordEventsRequest* request,
    v1::RecordEventsResponse* response) {
  Unary* reactor = context->DefaultReactor();
  absl::Status status = MasterOnly();
  if (status.ok()) {
    absl::StatusOr<std::vector<v1::ClusterEvent>> events =
        EventsOf(*request, deps_.clock->Now());
    if (events.ok()) {
      deps_.outbox->RecordEvents(
          *std::move(events),
          [this, reactor,
           response](const absl::StatusOr<RecordEventsResult>& result) {
            if (result.ok()) {
              response->set_recorded(result->recorded);
              response->set_repeated(result->repeated);
              if (deps_.on_events) deps_.on_events();
            }
            reactor->Finish(ToGrpc(result.status()));
          });
      return reactor;
    }
    status = events.status();
  }
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* LocalAgentService::ListRecordedEvents(
    Context* context, const v1::ListRecordedEventsRequest* request,
    v1::ListRecordedEventsResponse* response) {
  return RunAsAdmin(context, [this, request, response] {
    const absl::Status here = MasterOnly();
    if (!here.ok()) return here;
    if (request->page_size() > 1000) {
      return InvalidField("page_size", "must be from 1 to 1000");
    }
    absl::StatusOr<ListedEvents> listed = deps_.outbox->reader().ListEvents(
        request->page_size(), request->page_token());
    if (listed.ok()) *response = ToProto(*std::move(listed));
    return listed.status();
  });
}

}  // namespace mc::agent

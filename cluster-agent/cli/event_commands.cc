#include "cluster-agent/cli/event_commands.h"

#include <iostream>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/local/agent_service.h"
#include "common/cli/event_text.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/crypto/digest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

std::string TextOf(const v1::ListRecordedEventsResponse& response) {
  Table table({"AT", "TYPE", "SEVERITY", "NODE", "ACKNOWLEDGED", "DETAILS"});
  for (const v1::RecordedEvent& recorded : response.events()) {
    const v1::ClusterEvent& event = recorded.event();
    table.Add({TimeText(event.occurred_at()), EnumText(event.type()),
               EnumText(event.severity()), event.node_id(),
               recorded.acknowledged() ? "yes" : "no", EventDetails(event)});
  }
  return table.Text();
}

absl::StatusOr<v1::RecordEventsRequest> RequestOf(
    const EventArguments& arguments) {
  v1::RecordEventsRequest request;
  if (arguments.file.empty() == arguments.type.empty()) {
    return absl::InvalidArgumentError("give either --file or --type");
  }
  if (!arguments.file.empty()) {
    const absl::Status read = ReadJsonInput(arguments.file, &request);
    if (!read.ok()) return read;
    return request;
  }
  v1::ClusterEvent& event = *request.add_events();
  const auto type = ParseEventType(arguments.type);
  if (!type.ok()) return type.status();
  event.set_type(*type);
  if (!arguments.severity.empty()) {
    const auto severity = ParseSeverity(arguments.severity);
    if (!severity.ok()) return severity.status();
    event.set_severity(*severity);
  }
  event.set_event_id(arguments.id.empty() ? RandomUuid() : arguments.id);
  event.set_node_id(arguments.node_id);
  return request;
}

}  // namespace

absl::Status ListEvents(const CommonArguments& common, int page_size,
                        const std::string& page_token) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  const auto reader = OutboxReader::Open(configuration->OutboxFile());
  if (!reader.ok()) return reader.status();
  absl::StatusOr<ListedEvents> listed =
      (*reader)->ListEvents(page_size, page_token);
  if (!listed.ok()) return listed.status();
  const v1::ListRecordedEventsResponse response = ToProto(*std::move(listed));
  if (common.json) return PrintJson(response);
  std::cout << TextOf(response);
  HintNextPage(response.next_page_token());
  return absl::OkStatus();
}

absl::Status RecordEvent(const CommonArguments& common,
                         const EventArguments& event) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  const absl::StatusOr<v1::RecordEventsRequest> request = RequestOf(event);
  if (!request.ok()) return request.status();
  v1::RecordEventsResponse response;
  SiteClient client(configuration->AgentSocket());
  const absl::Status status =
      client.Call(&v1::AgentService::Stub::RecordEvents, *request, &response);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(response);
  std::cout << "Recorded " << response.recorded() << ", " << response.repeated()
            << " repeated\n";
  return absl::OkStatus();
}

}  // namespace mc::agent

#include <memory>
#include <string>

#include "common/cli/event_text.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "mc-service/ctl/commands.h"

namespace mc::service {
namespace {

struct EventOptions {
  v1::ListEventsRequest request;
  std::string type;
  std::string severity;
  PageOptions page;
};

std::string TextOf(const v1::ListEventsResponse& response) {
  Table table({"AT", "CLUSTER", "TYPE", "SEVERITY", "NODE", "DETAILS"});
  for (const v1::FleetEvent& row : response.events()) {
    const v1::ClusterEvent& event = row.event();
    table.Add({TimeText(event.occurred_at()), row.cluster_id(),
               EnumText(event.type()), EnumText(event.severity()),
               event.node_id(), EventDetails(event)});
  }
  HintNextPage(response.next_page_token());
  return table.Text();
}

absl::Status ListEvents(Client& client, EventOptions& options) {
  v1::ListEventsRequest& request = options.request;
  if (!options.type.empty()) {
    const auto type = ParseEventType(options.type);
    if (!type.ok()) return type.status();
    request.set_type(*type);
  }
  if (!options.severity.empty()) {
    const auto severity = ParseSeverity(options.severity);
    if (!severity.ok()) return severity.status();
    request.set_severity(*severity);
  }
  request.set_page_size(options.page.size);
  request.set_page_token(options.page.token);
  v1::ListEventsResponse response;
  absl::Status status = client.Call(&FleetStub::ListEvents, request, &response);
  if (!status.ok()) return status;
  return client.Print(response, [&] { return TextOf(response); });
}

}  // namespace

void AddEventCommands(CLI::App& app, Context& context) {
  Client& client = *context.client;
  auto options = std::make_shared<EventOptions>();
  CLI::App* command =
      AddCommand(app, context, "events",
                 "What clusters told when it happened, newest first",
                 "mcctl events --cluster ID --severity warning",
                 [&client, options] { return ListEvents(client, *options); });
  command->add_option_function<std::string>(
      "--cluster",
      [options](const std::string& v) { options->request.set_cluster_id(v); },
      "Only of this cluster");
  command->add_option("--type", options->type,
                      "Only of this type, for instance connection_lost");
  command->add_option("--severity", options->severity,
                      "At least: info, warning or severe");
  options->page.AddTo(*command);
}

}  // namespace mc::service

#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "mc-service/ctl/commands.h"

namespace mc::service {
namespace {

std::string FrameText(const v1::ClusterFinding& finding) {
  if (!finding.has_time_frame()) return "";
  const v1::TimeFrame& frame = finding.time_frame();
  return absl::StrCat(frame.has_start() ? TimeText(frame.start()) : "?", " to ",
                      frame.has_end() ? TimeText(frame.end()) : "?");
}

}  // namespace

void AddFindingCommands(CLI::App& app, Context& context) {
  static const auto& kinds = *new std::map<std::string, v1::FindingKind>{
      {"report_conflict", v1::FINDING_KIND_REPORT_CONFLICT},
      {"sequence_gap", v1::FINDING_KIND_SEQUENCE_GAP},
      {"usage_overlap", v1::FINDING_KIND_USAGE_OVERLAP},
      {"events_dropped", v1::FINDING_KIND_EVENTS_DROPPED}};
  Client& client = *context.client;
  auto request = std::make_shared<v1::ListFindingsRequest>();
  auto page = std::make_shared<PageOptions>();
  CLI::App* command = AddCommand(
      app, context, "findings",
      "List what is to know of the clusters' reports, the newest first",
      "mcctl findings --kind sequence_gap", [&client, request, page] {
        request->set_page_size(page->size);
        request->set_page_token(page->token);
        v1::ListFindingsResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListFindings, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"KIND", "SEVERITY", "CLUSTER", "FIRST AT", "LAST AT",
                       "COUNT", "CLOSED AT", "USAGE IN DOUBT", "MESSAGE"});
          for (const v1::ClusterFinding& finding : response.findings()) {
            table.Add({EnumText(finding.kind()), EnumText(finding.severity()),
                       finding.cluster_id(), TimeText(finding.first_at()),
                       TimeText(finding.last_at()),
                       absl::StrCat(finding.count()),
                       TimeText(finding.closed_at()), FrameText(finding),
                       finding.message()});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  command->add_option_function<std::string>(
      "--cluster",
      [request](const std::string& v) { request->set_cluster_id(v); },
      "Only of this cluster");
  command
      ->add_option_function<std::string>(
          "--kind",
          [request](const std::string& v) { request->set_kind(kinds.at(v)); },
          "Only of this kind")
      ->check(CLI::IsMember(kinds));
  command->add_flag_function(
      "--all", [request](int64_t) { request->set_include_closed(true); },
      "With those that no longer hold");
  page->AddTo(*command);
}

}  // namespace mc::service

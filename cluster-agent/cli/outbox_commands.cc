#include "cluster-agent/cli/outbox_commands.h"

#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/local/agent_service.h"
#include "cluster-agent/outbox/reader.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr int kPage = 1000;

absl::StatusOr<std::unique_ptr<OutboxReader>> OpenReader(
    const CommonArguments& common) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  return OutboxReader::Open(configuration->OutboxFile());
}

std::string TextOf(const v1::ListOutboxResponse& response) {
  Table table({"LANE", "EPOCH", "SEQUENCE", "STATE", "CREATED", "BYTES",
               "ATTEMPTS", "WAITING FOR"});
  for (const v1::OutboxEntry& entry : response.entries()) {
    table.Add({EnumText(entry.lane()), absl::StrCat(entry.epoch()),
               absl::StrCat(entry.sequence()), EnumText(entry.state()),
               TimeText(entry.created_at()), absl::StrCat(entry.size_bytes()),
               absl::StrCat(entry.attempts()),
               entry.rejection().empty()
                   ? entry.waiting_for()
                   : absl::StrCat(entry.waiting_for(), " (", entry.rejection(),
                                  ")")});
  }
  return table.Text();
}

absl::StatusOr<v1::Lane> ParseLane(std::string name) {
  absl::AsciiStrToUpper(&name);
  if (!absl::StartsWith(name, "LANE_")) name = "LANE_" + name;
  v1::Lane lane = v1::LANE_UNSPECIFIED;
  if (v1::Lane_Parse(name, &lane) && lane != v1::LANE_UNSPECIFIED) return lane;
  return absl::InvalidArgumentError(
      "the lane must be billing, events or health");
}

std::string NameOf(const ReportKey& key) {
  std::string lane = EnumText(key.lane);
  absl::AsciiStrToLower(&lane);
  return absl::StrCat(lane, " ", key.epoch, " ", key.sequence);
}

std::string Advice(const ListedReport& report) {
  const std::string name = NameOf(report.key);
  switch (report.state) {
    case ReportState::kRejected:
      return absl::StrCat(
          name, ": the service refuses it for good (", report.rejection,
          "). It is kept and not sent again. Show it to your vendor: "
          "cluster-agent outbox show ",
          name);
    case ReportState::kDamaged:
      return absl::StrCat(
          name,
          ": its bytes on this disk are not what was written. It is kept and "
          "not sent; the others are. Check the disk, and tell your vendor that "
          "this report is missing");
    case ReportState::kWaiting:
    case ReportState::kAcknowledged:
      break;
  }
  return absl::StrCat(
      name, ": waits for ", report.waiting_for,
      report.attempts == 0
          ? ""
          : absl::StrCat(" (attempts: ", report.attempts,
                         report.rejection.empty() ? "" : "; last answer: ",
                         report.rejection, ")"));
}

// What keeps all of them waiting, where the running agent tells it.
std::string ConnectionText(const std::string& socket) {
  v1::GetStatusResponse status;
  SiteClient client(socket);
  const absl::Status answered = client.Call(&v1::AgentService::Stub::GetStatus,
                                            v1::GetStatusRequest(), &status);
  if (!answered.ok()) {
    return absl::StrCat("nothing is sent: ", answered.message());
  }
  if (status.backlog_total() > 0) {
    return absl::StrCat("a backlog is sent: ", status.backlog_confirmed(),
                        " of ", status.backlog_total(), " are confirmed");
  }
  if (status.waiting_for().empty()) return "the agent is connected";
  return absl::StrCat("the agent waits for ", status.waiting_for());
}

}  // namespace

absl::Status ListOutbox(const CommonArguments& common, int page_size,
                        const std::string& page_token, bool all) {
  const auto reader = OpenReader(common);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<ListedReports> listed =
      (*reader)->List(page_size, page_token, RealClock().Now(), all);
  if (!listed.ok()) return listed.status();
  const v1::ListOutboxResponse response = ToProto(*listed);
  if (common.json) return PrintJson(response);
  std::cout << TextOf(response);
  HintNextPage(response.next_page_token());
  return absl::OkStatus();
}

absl::Status ShowOutboxReport(const CommonArguments& common,
                              const ReportArguments& report) {
  const absl::StatusOr<v1::Lane> lane = ParseLane(report.lane);
  if (!lane.ok()) return lane.status();
  const auto reader = OpenReader(common);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<FoundReport> found = (*reader)->Find(
      {*lane, report.epoch, report.sequence}, RealClock().Now());
  if (!found.ok()) return found.status();
  const auto shown = ToProto(*found);
  if (!shown.ok()) return shown.status();
  if (!shown->has_report()) return absl::DataLossError(Advice(found->listed));
  return PrintJson(shown->report());
}

absl::Status ExplainOutbox(const CommonArguments& common) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  const auto reader = OutboxReader::Open(configuration->OutboxFile());
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<OutboxStats> stats = (*reader)->Stats();
  if (!stats.ok()) return stats.status();
  std::cout << stats->open_usage_records
            << " usage records wait for the end of their time frame\n"
            << stats->waiting_reports << " reports wait for their receipts; "
            << ConnectionText(configuration->AdminSocket()) << "\n"
            << stats->kept_reports
            << " reports have their receipts, and are kept in case the service "
               "is restored from a backup\n";
  if (stats->damaged_usage_records > 0) {
    std::cout << stats->damaged_usage_records
              << " usage records are damaged, and are not reported; they are "
                 "in table damaged_usage of "
              << configuration->OutboxFile() << "; check the disk\n";
  }
  std::string token;
  do {
    const absl::StatusOr<ListedReports> page =
        (*reader)->List(kPage, token, RealClock().Now());
    if (!page.ok()) return page.status();
    for (const ListedReport& report : page->reports) {
      std::cout << Advice(report) << "\n";
    }
    token = page->next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

}  // namespace mc::agent

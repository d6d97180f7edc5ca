#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/values.h"

namespace mc::service {
namespace {

std::string Gibibytes(int64_t bytes) {
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / (1 << 30));
}

// With what an operator must not overlook.
std::string PresenceText(const v1::Cluster& cluster) {
  std::string text = EnumText(cluster.presence());
  if (cluster.has_clone_suspected_at()) text += ", clone suspected";
  return text;
}

std::string TextOf(const v1::Cluster& cluster) {
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Cluster", cluster.cluster_id()},
      {"Account",
       absl::StrCat(cluster.account_name(), " (", cluster.account_id(), ")")},
      {"License",
       absl::StrCat(cluster.license_name(), " (", cluster.license_id(), ")")},
      {"Registration", absl::StrCat(EnumText(cluster.registration()), " on ",
                                    TimeText(cluster.registered_at()))},
      {"User name", cluster.user_name()},
      {"Certificate",
       cluster.certificate_serial().empty()
           ? "none yet"
           : absl::StrCat("serial ", cluster.certificate_serial(), ", until ",
                          TimeText(cluster.certificate_not_after()))},
      {"Presence", absl::StrCat(EnumText(cluster.presence()), " ",
                                TimeText(cluster.last_heartbeat_at()))},
      {"Health", absl::StrCat(EnumText(cluster.health()), " ",
                              TimeText(cluster.last_health_at()))},
  };
  if (cluster.has_clone_suspected_at()) {
    lines.emplace_back(
        "Clone suspected",
        absl::StrCat(TimeText(cluster.clone_suspected_at()),
                     "; two agents beat in turn: ask the customer to stop the "
                     "one whose state was copied, and adopt the other"));
  }
  for (const std::string& agent : cluster.clone_instance_ids()) {
    lines.emplace_back("Agent instance", agent);
  }
  return Properties(lines);
}

std::string HealthText(const v1::HealthReport& report) {
  std::string text =
      absl::StrCat("\nHealth check of ", TimeText(report.received_at()), ": ",
                   EnumText(report.result().status()), ", ",
                   report.result().message(), "\n");
  Table nodes({"NODE", "STATE", "OS", "CORES", "LOAD", "MEMORY FREE", "MEMORY",
               "PRODUCT", "STARTED"});
  Table partitions({"NODE", "PARTITION", "USED", "TOTAL"});
  for (const v1::NodeHealth& node : report.health_check().nodes()) {
    nodes.Add({node.node_id(), EnumText(node.server_state()),
               absl::StrCat(node.os_name(), " ", node.os_version()),
               absl::StrCat(node.cpu_cores()),
               absl::StrFormat("%.2f", node.cpu_load()),
               Gibibytes(node.free_memory_bytes()),
               Gibibytes(node.total_memory_bytes()), node.product_version(),
               TimeText(node.started_at())});
    for (const v1::StoragePartition& partition : node.partitions()) {
      partitions.Add({node.node_id(), partition.label(),
                      Gibibytes(partition.used_bytes()),
                      Gibibytes(partition.total_bytes())});
    }
  }
  absl::StrAppend(&text, nodes.Text(), partitions.Text());
  for (const v1::Finding& finding : report.result().findings()) {
    absl::StrAppend(&text, EnumText(finding.severity()), " ", finding.code(),
                    " ", finding.message(), "\n");
  }
  return text;
}

std::string UsageText(const v1::ConsumptionResult& usage) {
  const auto remaining = [](bool has, int64_t value) {
    return has ? absl::StrCat(value) : "unlimited";
  };
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Usage since", TimeText(usage.period().start())},
      {"State", EnumText(usage.state())},
      {"RUM sessions remaining", remaining(usage.has_remaining_rum_sessions(),
                                           usage.remaining_rum_sessions())},
      {"RUM sessions overage", absl::StrCat(usage.consumed_rum_overage())},
      {"Synthetic remaining",
       remaining(usage.has_remaining_synthetic_executions(),
                 usage.remaining_synthetic_executions())},
      {"Host-unit-hours overage",
       MilliText(usage.host_unit_hours_overage_milli())},
  };
  for (const v1::MeterBalance& meter : usage.meters()) {
    lines.emplace_back(
        "Meter " + meter.meter_id(),
        absl::StrCat(meter.consumed(), " ", meter.unit(), ", remaining ",
                     remaining(meter.has_remaining(), meter.remaining())));
  }
  for (const v1::EnvironmentBalance& environment : usage.environments()) {
    lines.emplace_back(
        "Environment " + environment.environment_id(),
        absl::StrCat(environment.consumed_rum_sessions(), " sessions, ",
                     environment.consumed_synthetic_executions(),
                     " synthetic executions, ",
                     MilliText(environment.host_units_milli()), " host units"));
  }
  return Properties(lines);
}

std::string TextOf(const v1::GetClusterResponse& response) {
  std::string text = TextOf(response.cluster());
  absl::StrAppend(
      &text,
      Properties({{"License status", EnumText(response.license().status())}}));
  if (response.has_last_health()) {
    absl::StrAppend(&text, HealthText(response.last_health()));
  }
  Table beats({"NODE", "SOURCE", "LAST HEARTBEAT", "HEARTBEATS", "AGENT"});
  for (const v1::NodePresence& node : response.nodes()) {
    beats.Add({node.node_id(), EnumText(node.source_type()),
               TimeText(node.last_heartbeat_at()),
               absl::StrCat(node.heartbeats()), node.agent_instance_id()});
  }
  absl::StrAppend(&text, "\n", beats.Text(), "\n", UsageText(response.usage()));
  return text;
}

// show, reopen and revoke: a cluster's ID in.
template <typename Request, typename Response, typename Show>
void AddById(CLI::App& group, Context& context, const std::string& name,
             const std::string& description,
             grpc::Status (FleetStub::*method)(grpc::ClientContext*,
                                               const Request&, Response*),
             Show show) {
  Client& client = *context.client;
  auto request = std::make_shared<Request>();
  CLI::App* command = AddCommand(
      group, context, name, description,
      "mcctl cluster " + name + " 7c9e6679-7425-40de-944b-e07fc1f90ae7",
      [&client, request, method, show] {
        Response response;
        absl::Status status = client.Call(method, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] { return show(response); });
      });
  command
      ->add_option_function<std::string>(
          "cluster",
          [request](const std::string& v) { request->set_cluster_id(v); },
          "The cluster's ID")
      ->required();
}

void AddList(CLI::App& group, Context& context) {
  static const auto& presences = *new std::map<std::string, v1::PresenceState>{
      {"online", v1::PRESENCE_STATE_ONLINE},
      {"offline", v1::PRESENCE_STATE_OFFLINE},
      {"never_seen", v1::PRESENCE_STATE_NEVER_SEEN}};
  static const auto& healths = *new std::map<std::string, v1::HealthStatus>{
      {"healthy", v1::HEALTH_STATUS_HEALTHY},
      {"warning", v1::HEALTH_STATUS_WARNING},
      {"critical", v1::HEALTH_STATUS_CRITICAL}};
  static const auto& registrations =
      *new std::map<std::string, v1::RegistrationStatus>{
          {"registered", v1::REGISTRATION_STATUS_REGISTERED},
          {"pending", v1::REGISTRATION_STATUS_PENDING},
          {"reopened", v1::REGISTRATION_STATUS_REOPENED},
          {"revoked", v1::REGISTRATION_STATUS_REVOKED}};
  Client& client = *context.client;
  auto request = std::make_shared<v1::ListClustersRequest>();
  auto page = std::make_shared<PageOptions>();
  CLI::App* command = AddCommand(
      group, context, "list", "List the clusters",
      "mcctl cluster list --presence offline", [&client, request, page] {
        request->set_page_size(page->size);
        request->set_page_token(page->token);
        v1::ListClustersResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListClusters, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"CLUSTER", "ACCOUNT", "LICENSE", "REGISTRATION",
                       "PRESENCE", "LAST HEARTBEAT", "HEALTH"});
          for (const v1::Cluster& cluster : response.clusters()) {
            table.Add({cluster.cluster_id(), cluster.account_name(),
                       cluster.license_name(), EnumText(cluster.registration()),
                       PresenceText(cluster),
                       TimeText(cluster.last_heartbeat_at()),
                       EnumText(cluster.health())});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  command->add_option_function<std::string>(
      "--account",
      [request](const std::string& v) { request->set_account_id(v); },
      "Only of this account");
  command->add_option_function<std::string>(
      "--license",
      [request](const std::string& v) { request->set_license_id(v); },
      "Only of this license");
  command
      ->add_option_function<std::string>(
          "--presence",
          [request](const std::string& v) {
            request->set_presence(presences.at(v));
          },
          "online, offline or never_seen")
      ->check(CLI::IsMember(presences));
  command
      ->add_option_function<std::string>(
          "--health",
          [request](const std::string& v) {
            request->set_health(healths.at(v));
          },
          "healthy, warning or critical")
      ->check(CLI::IsMember(healths));
  command
      ->add_option_function<std::string>(
          "--registration",
          [request](const std::string& v) {
            request->set_registration(registrations.at(v));
          },
          "registered, pending, reopened or revoked")
      ->check(CLI::IsMember(registrations));
  page->AddTo(*command);
}

void AddAdopt(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::AdoptClusterRequest>();
  CLI::App* command = AddCommand(
      group, context, "adopt",
      "Decide which of two agents with one identity is the cluster",
      "mcctl cluster adopt 7c9e6679-7425-40de-944b-e07fc1f90ae7 --instance "
      "2c5ea4c0-4067-41fe-8bad-9b1deb4d3b7d",
      [&client, request]() -> absl::Status {
        v1::AdoptClusterResponse response;
        absl::Status status =
            client.Call(&FleetStub::AdoptCluster, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response,
                            [&] { return TextOf(response.cluster()); });
      });
  command
      ->add_option_function<std::string>(
          "cluster",
          [request](const std::string& v) { request->set_cluster_id(v); },
          "The cluster's ID")
      ->required();
  CLI::Option_group* which = command->add_option_group("which");
  which->add_option_function<std::string>(
      "--instance",
      [request](const std::string& v) { request->set_agent_instance_id(v); },
      "The agent to keep, as `mcctl cluster show` names it; the other's "
      "certificate ends when this one has renewed its own");
  which->add_flag_function(
      "--no-clone", [](int64_t) {},
      "The suspicion was wrong: there is but one agent");
  which->require_option(1);
}

}  // namespace

void AddClusterCommands(CLI::App& app, Context& context) {
  CLI::App* group = AddGroup(app, "cluster", "Registered clusters");
  AddList(*group, context);
  const auto show = [](const auto& response) {
    return TextOf(response.cluster());
  };
  AddById(*group, context, "show",
          "Show identity, presence, health, license and usage",
          &FleetStub::GetCluster, [](const v1::GetClusterResponse& response) {
            return TextOf(response);
          });
  AddById(*group, context, "reopen",
          "Let other keys register this cluster ID, once",
          &FleetStub::ReopenRegistration, show);
  AddById(*group, context, "approve",
          "Register a cluster that waits (cluster list --registration pending)",
          &FleetStub::ApproveRegistration, show);
  AddAdopt(*group, context);
  AddById(*group, context, "revoke",
          "Revoke a cluster's identity, or refuse one that waits, for good",
          &FleetStub::RevokeCluster, show);
}

void AddConsumptionCommands(CLI::App& app, Context& context) {
  CLI::App* group = AddGroup(app, "consumption", "Accepted usage");
  Client& client = *context.client;
  auto request = std::make_shared<v1::ListConsumptionRequest>();
  auto page = std::make_shared<PageOptions>();
  auto from = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      *group, context, "list", "List consumption reports, the newest first",
      "mcctl consumption list --license ID --from 2026-05-01T00:00:00Z",
      [&client, request, page, from, to]() -> absl::Status {
        if (!from->empty() || !to->empty()) {
          const auto period = PeriodValue(*from, *to);
          if (!period.ok()) return period.status();
          *request->mutable_period() = *period;
        }
        request->set_page_size(page->size);
        request->set_page_token(page->token);
        v1::ListConsumptionResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListConsumption, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"START", "END", "CLUSTER", "ENVIRONMENT", "PROBLEMS",
                       "SESSIONS", "MONITORS", "HOSTS", "METERS"});
          for (const v1::ConsumptionReport& report : response.reports()) {
            const v1::Consumption& usage = report.consumption();
            for (const auto& environment : usage.environments()) {
              table.Add({TimeText(usage.time_frame().start()),
                         TimeText(usage.time_frame().end()), usage.cluster_id(),
                         environment.environment_id(),
                         absl::StrCat(environment.new_problems()),
                         absl::StrCat(environment.rum_sessions()),
                         absl::StrCat(environment.synthetic_monitors_size()),
                         absl::StrCat(environment.hosts_size()),
                         absl::StrCat(environment.meters_size())});
            }
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  const auto text = [command](const std::string& name, auto set,
                              const std::string& help) {
    command->add_option_function<std::string>(name, set, help);
  };
  text(
      "--cluster",
      [request](const std::string& v) { request->set_cluster_id(v); },
      "Only of this cluster");
  text(
      "--license",
      [request](const std::string& v) { request->set_license_id(v); },
      "Only of this license");
  text(
      "--account",
      [request](const std::string& v) { request->set_account_id(v); },
      "Only of this account");
  text(
      "--environment",
      [request](const std::string& v) { request->set_environment_id(v); },
      "Only of this environment");
  command->add_option("--from", *from, "Time frames from this time on");
  command->add_option("--to", *to, "Time frames that start before this time");
  page->AddTo(*command);
}

}  // namespace mc::service

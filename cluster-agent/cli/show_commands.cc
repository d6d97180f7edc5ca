// What the agent does, has and waits for.
#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/cli/site_commands.h"
#include "cluster-agent/cli/state_files.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/domain/documents/documents.h"
#include "cluster-agent/state/node_state.h"
#include "cluster-agent/state/state_directory.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/files/files.h"
#include "google/protobuf/struct.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

std::string WhatTheNodesFileSays(const Configuration& configuration) {
  const auto node = ReadNodeState(configuration.values.state_directory());
  if (!node.ok()) {
    return absl::StrCat("its file cannot be read: ", node.status().message());
  }
  if (!node->has_value()) return "it has never run";
  if (!(*node)->has_current()) return "its file says: it has not joined";
  return absl::StrCat("its file says: node ", (*node)->node_id(),
                      " of cluster ", (*node)->cluster_id(), ", joined ",
                      TimeText((*node)->joined_at()));
}

// One clause: what the state directory of an agent that does not run says.
std::string WhatTheFilesSay(const Configuration& configuration) {
  if (IsNode(configuration.values)) return WhatTheNodesFileSays(configuration);
  absl::StatusOr<std::string> cluster_id = ReadPrivateFile(absl::StrCat(
      configuration.values.state_directory(), "/", state_files::kClusterId));
  if (absl::IsNotFound(cluster_id.status())) return "it has never run";
  if (!cluster_id.ok()) {
    return absl::StrCat("its files cannot be read: ",
                        cluster_id.status().message());
  }
  absl::StripAsciiWhitespace(&*cluster_id);
  std::string text = absl::StrCat("its files say: cluster ", *cluster_id);
  const auto registration = ReadStateFile<config::AgentRegistration>(
      configuration, state_files::kRegistration);
  if (!registration.ok()) return absl::StrCat(text, ", not registered");
  absl::StrAppend(&text, ", registered ",
                  TimeText(registration->registered_at()));
  const auto kept =
      ReadStateFile<config::AgentLicense>(configuration, state_files::kLicense);
  if (!kept.ok()) return text;
  const DocumentKeys keys(registration->document_keys().begin(),
                          registration->document_keys().end());
  const auto license = VerifyLicense(kept->signed_license(), keys, *cluster_id);
  if (!license.ok()) return absl::StrCat(text, ", no license that verifies");
  return absl::StrCat(text, ", license ", EnumText(license->status()), " at ",
                      TimeText(kept->verified_at()));
}

std::string TextOfStandby(const v1::GetStatusResponse& status) {
  return Properties({{"Mastership", EnumText(status.mastership_state())},
                     {"Waiting for", status.waiting_for()},
                     {"Agent", absl::StrCat(status.agent_version(), ", since ",
                                            TimeText(status.started_at()))}});
}

Table TableOf(const v1::GetStatusResponse& status) {
  Table exchanges(
      {"EXCHANGE", "OK", "FAILED", "LAST SUCCESS", "NEXT", "LAST ERROR"});
  for (const v1::ExchangeStatus& exchange : status.exchanges()) {
    exchanges.Add(
        {exchange.name(), absl::StrCat(exchange.succeeded()),
         absl::StrCat(exchange.failed()), TimeText(exchange.last_success_at()),
         TimeText(exchange.next_attempt_at()), exchange.last_error()});
  }
  return exchanges;
}

std::string TextOfNode(const v1::GetStatusResponse& status) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"Cluster", status.cluster_id()},
      {"Node", status.node_id()},
      {"Connection", EnumText(status.connection_state())},
      {"Waiting for",
       status.waiting_for().empty() ? "nothing" : status.waiting_for()},
      {"Agent", absl::StrCat(status.agent_version(), ", since ",
                             TimeText(status.started_at()))},
      {"Product", status.product_version()},
      {"Certificate until", TimeText(status.certificate_not_after())},
  };
  return absl::StrCat(Properties(lines), "\n", TableOf(status).Text());
}

std::string TextOf(const v1::GetStatusResponse& status) {
  if (status.mastership_state() == v1::MASTERSHIP_STATE_STANDBY) {
    return TextOfStandby(status);
  }
  if (status.mastership_state() == v1::MASTERSHIP_STATE_NODE) {
    return TextOfNode(status);
  }
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Cluster", status.cluster_id()},
      {"Connection", EnumText(status.connection_state())},
      {"Waiting for",
       status.waiting_for().empty() ? "nothing" : status.waiting_for()},
      {"Registration", EnumText(status.registration_state())},
      {"Agent", absl::StrCat(status.agent_version(), ", since ",
                             TimeText(status.started_at()))},
      {"Product", status.product_version()},
  };
  if (!status.other_master().empty()) {
    lines.emplace_back("Other master", status.other_master());
  }
  if (!status.proxy().empty()) lines.emplace_back("Proxy", status.proxy());
  if (status.has_license()) {
    const v1::LicenseDocument& license = status.license();
    lines.emplace_back(
        "License",
        absl::StrCat(license.license_name(), " (", license.account_name(),
                     "), ", EnumText(license.status()), ", checked ",
                     TimeText(status.license_checked_at())));
  }
  if (status.license_answer().standing() != v1::LICENSE_STANDING_UNSPECIFIED) {
    lines.emplace_back(
        "Allowed now",
        absl::StrCat(EnumText(status.license_answer().standing()), ": ",
                     status.license_answer().reason()));
  }
  if (status.has_last_health()) {
    lines.emplace_back("Health", EnumText(status.last_health().status()));
  }
  for (const std::string& update : status.available_updates()) {
    lines.emplace_back("Update", update);
  }
  lines.emplace_back("Open usage",
                     absl::StrCat(status.open_usage_records(), " records"));
  lines.emplace_back("Unconfirmed",
                     absl::StrCat(status.waiting_reports(), " reports"));
  if (status.backlog_total() > 0) {
    lines.emplace_back("Backlog",
                       absl::StrCat(status.backlog_confirmed(), " of ",
                                    status.backlog_total(), " confirmed"));
  }
  lines.emplace_back("Nodes", absl::StrCat(status.live_nodes(), " live, ",
                                           status.silent_nodes(), " silent"));
  lines.emplace_back("Certificate until",
                     TimeText(status.certificate_not_after()));
  lines.emplace_back("Renewal at", TimeText(status.certificate_renews_at()));
  return absl::StrCat(Properties(lines), "\n", TableOf(status).Text());
}

}  // namespace

absl::Status ShowStatus(const CommonArguments& common, bool check) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  v1::GetStatusResponse status;
  SiteClient client(configuration->AdminSocket());
  const absl::Status answered = client.Call(&v1::AgentService::Stub::GetStatus,
                                            v1::GetStatusRequest(), &status);
  if (absl::IsUnavailable(answered)) {
    return absl::UnavailableError(absl::StrCat(
        answered.message(), " (", WhatTheFilesSay(*configuration), ")"));
  }
  if (!answered.ok()) return answered;
  if (common.json) {
    const absl::Status printed = PrintJson(status);
    if (!printed.ok()) return printed;
  } else {
    std::cout << TextOf(status);
  }
  if (!check) return absl::OkStatus();
  // One that waits is as it should be.
  if (status.mastership_state() == v1::MASTERSHIP_STATE_STANDBY) {
    return absl::OkStatus();
  }
  if (status.has_certificate_not_after() &&
      status.registration_state() == v1::REGISTRATION_STATE_NOT_REGISTERED) {
    // It was registered, and the service has ended that.
    return absl::PermissionDeniedError(status.waiting_for());
  }
  if (!status.other_master().empty()) {
    return absl::FailedPreconditionError(status.other_master());
  }
  if (status.connection_state() != v1::CONNECTION_STATE_CONNECTED) {
    return absl::UnavailableError(
        absl::StrCat("not connected; waiting for ", status.waiting_for()));
  }
  return absl::OkStatus();
}

absl::Status Validate(const CommonArguments& common) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  const std::vector<std::string> problems =
      FindProblems(*configuration, std::getenv("MC_LICENSE_KEY"));
  if (common.json) {
    google::protobuf::Struct result;
    auto& list = *(*result.mutable_fields())["problems"].mutable_list_value();
    for (const std::string& problem : problems) {
      list.add_values()->set_string_value(problem);
    }
    const absl::Status printed = PrintJson(result);
    if (!printed.ok()) return printed;
  } else if (problems.empty()) {
    std::cout << "No problems\n";
  } else {
    for (const std::string& problem : problems) std::cout << problem << "\n";
  }
  return problems.empty() ? absl::OkStatus() : absl::InvalidArgumentError("");
}

}  // namespace mc::agent

// What the product can say by the command line: usage and descriptions.
#include <iostream>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/cli/site_commands.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/crypto/digest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Stub = v1::AgentService::Stub;

absl::StatusOr<v1::MeterUsage> ParseMeter(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  v1::MeterUsage meter;
  int64_t quantity = 0;
  if (parts.size() != 3 || parts[0].empty() || parts[1].empty() ||
      !absl::SimpleAtoi(parts[2], &quantity)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--meter \"", text,
        "\" is not ID:UNIT:QUANTITY, for instance log-bytes:bytes:4096"));
  }
  meter.set_meter_id(parts[0]);
  meter.set_unit(parts[1]);
  meter.set_quantity(quantity);
  return meter;
}

absl::StatusOr<v1::RunState> ParseState(const std::string& text) {
  v1::RunState state = v1::RUN_STATE_UNSPECIFIED;
  if (v1::RunState_Parse(
          absl::StrCat("RUN_STATE_", absl::AsciiStrToUpper(text)), &state) &&
      state != v1::RUN_STATE_UNSPECIFIED) {
    return state;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is no state; write running, starting, stopping, stopped, failed or "
      "silent"));
}

absl::StatusOr<v1::RecordUsageRequest> UsageOf(const UsageArguments& usage) {
  v1::RecordUsageRequest request;
  const bool by_flags = usage.rum_sessions >= 0 || usage.new_problems >= 0 ||
                        !usage.meter.empty();
  if (usage.file.empty() != by_flags) {
    return absl::InvalidArgumentError(
        "give either --file, or --environment with one of --rum-sessions, "
        "--new-problems and --meter");
  }
  if (!by_flags) {
    const absl::Status status = ReadJsonInput(usage.file, &request);
    if (!status.ok()) return status;
    return request;
  }
  const auto add = [&] {
    v1::UsageRecord* record = request.add_records();
    record->set_environment_id(usage.environment);
    // Several records of one call: each has a key of its own.
    record->set_idempotency_key(
        usage.key.empty() ? RandomUuid()
        : request.records_size() == 1
            ? usage.key
            : absl::StrCat(usage.key, "-", request.records_size()));
    return record;
  };
  if (usage.rum_sessions >= 0) add()->set_rum_sessions(usage.rum_sessions);
  if (usage.new_problems >= 0) add()->set_new_problems(usage.new_problems);
  if (!usage.meter.empty()) {
    const absl::StatusOr<v1::MeterUsage> meter = ParseMeter(usage.meter);
    if (!meter.ok()) return meter.status();
    *add()->mutable_meter() = *meter;
  }
  return request;
}

// A call on agent.sock whose answer is not worth a line.
template <typename Request, typename Response>
absl::Status Tell(const CommonArguments& common,
                  grpc::Status (Stub::*method)(grpc::ClientContext*,
                                               const Request&, Response*),
                  const Request& request, const std::string& done) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  Response response;
  SiteClient client(configuration->AgentSocket());
  const absl::Status status = client.Call(method, request, &response);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(response);
  std::cout << done << "\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status RecordUsage(const CommonArguments& common,
                         const UsageArguments& usage) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  const absl::StatusOr<v1::RecordUsageRequest> request = UsageOf(usage);
  if (!request.ok()) return request.status();
  v1::RecordUsageResponse response;
  SiteClient client(configuration->AgentSocket());
  const absl::Status status =
      client.Call(&Stub::RecordUsage, *request, &response);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(response);
  std::cout << "Recorded " << response.recorded() << ", known already "
            << response.repeated() << "\n";
  return absl::OkStatus();
}

absl::Status RecordTraffic(const CommonArguments& common, int64_t bytes) {
  v1::RecordTrafficRequest request;
  request.set_bytes(bytes);
  return Tell(common, &Stub::RecordTraffic, request, "Recorded");
}

absl::Status DescribeEnvironments(const CommonArguments& common,
                                  const std::vector<std::string>& ids) {
  v1::DescribeEnvironmentsRequest request;
  request.mutable_environment_ids()->Assign(ids.begin(), ids.end());
  return Tell(common, &Stub::DescribeEnvironments, request,
              absl::StrCat("Described ", ids.size(), " environments"));
}

absl::Status DescribeNode(const CommonArguments& common,
                          const NodeArguments& node) {
  v1::DescribeNodeRequest request;
  if (!node.file.empty()) {
    const absl::Status status = ReadJsonInput(node.file, &request);
    if (!status.ok()) return status;
  }
  if (!node.product_version.empty()) {
    request.set_product_version(node.product_version);
  }
  if (!node.server_state.empty()) {
    const auto state = ParseState(node.server_state);
    if (!state.ok()) return state.status();
    request.set_server_state(*state);
  }
  for (const std::string& text : node.services) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(text, absl::MaxSplits('=', 1));
    const auto state = ParseState(parts.second);
    if (parts.first.empty() || !state.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--service \"", text,
                       "\" is not NAME=STATE, for instance indexer=running"));
    }
    v1::ServiceHealth& service = *request.add_services();
    service.set_name(parts.first);
    service.set_state(*state);
  }
  return Tell(common, &Stub::DescribeNode, request, "Described the node");
}

absl::Status DescribeActiveGates(const CommonArguments& common,
                                 const std::string& file) {
  v1::DescribeActiveGatesRequest request;
  const absl::Status status = ReadJsonInput(file, &request);
  if (!status.ok()) return status;
  return Tell(
      common, &Stub::DescribeActiveGates, request,
      absl::StrCat("Described ", request.active_gates_size(), " ActiveGates"));
}

}  // namespace mc::agent

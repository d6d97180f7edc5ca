#include "cluster-agent/cli/doctor_command.h"

#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/str_format.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/doctor/doctor.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "common/rpc/grpc_log.h"
#include "common/time/clock.h"
#include "google/protobuf/struct.pb.h"

namespace mc::agent {
namespace {

const char* Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "OK";
    case Outcome::kSkipped:
      return "SKIPPED";
    case Outcome::kWarning:
      return "WARNING";
    case Outcome::kFailed:
      break;
  }
  return "FAILED";
}

// What came from outside must not move a terminal's cursor.
std::string Safe(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

void PrintText(const CheckResults& results) {
  std::string target;
  for (const CheckResult& result : results) {
    if (result.target != target) std::cout << Safe(result.target) << "\n";
    target = result.target;
    std::cout << absl::StrFormat("  %-7s  %-17s  %s\n", Name(result.outcome),
                                 result.check, Safe(result.detail));
    if (!result.fix.empty()) {
      std::cout << absl::StrFormat("  %-7s  %-17s  fix: %s\n", "", "",
                                   Safe(result.fix));
    }
  }
}

absl::Status PrintJsonResults(const CheckResults& results) {
  google::protobuf::Struct all;
  (*all.mutable_fields())["result"].set_string_value(Name(Worst(results)));
  auto& list = *(*all.mutable_fields())["checks"].mutable_list_value();
  for (const CheckResult& result : results) {
    auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
    fields["check"].set_string_value(result.check);
    fields["target"].set_string_value(result.target);
    fields["result"].set_string_value(Name(result.outcome));
    fields["detail"].set_string_value(Safe(result.detail));
    fields["fix"].set_string_value(Safe(result.fix));
  }
  return PrintJson(all);
}

// What the service told the agent that runs here: that is in no file, and the
// doctor does not ask for it anew, for RecoverCertificate changes passwords.
CheckResult AskAgent(const std::string& socket) {
  constexpr char kCheck[] = "running agent";
  missioncontrol::v1::GetStatusResponse status;
  const absl::Status answered = SiteClient(socket).Call(
      &missioncontrol::v1::AgentService::Stub::GetStatus,
      missioncontrol::v1::GetStatusRequest(), &status);
  if (!answered.ok()) {
    return Skipped(kCheck, socket, std::string(answered.message()));
  }
  if (status.mastership_state() ==
      missioncontrol::v1::MASTERSHIP_STATE_STANDBY) {
    return Ok(kCheck, socket, "it is on standby");
  }
  if (status.connection_state() !=
      missioncontrol::v1::CONNECTION_STATE_CONNECTED) {
    return Failed(kCheck, socket, "it is not connected", status.waiting_for());
  }
  if (!status.waiting_for().empty()) {
    return Warning(kCheck, socket, "something is refused",
                   status.waiting_for());
  }
  return Ok(kCheck, socket, "it is connected");
}

}  // namespace

absl::Status RunDoctor(const CommonArguments& common, int& exit_code) {
  SetGrpcLog(nullptr);
  const RealClock clock;
  DoctorOptions options;
  options.config_file = common.config_file;
  options.license_key = std::getenv("MC_LICENSE_KEY");
  CheckResults results = Diagnose(options, clock);
  if (const auto configuration = LoadConfiguration(common.config_file);
      configuration.ok()) {
    results.push_back(AskAgent(configuration->AdminSocket()));
  }
  const Outcome worst = Worst(results);
  exit_code = worst == Outcome::kFailed    ? 1
              : worst == Outcome::kWarning ? kWarningExitCode
                                           : 0;
  if (common.json) return PrintJsonResults(results);
  PrintText(results);
  return absl::OkStatus();
}

}  // namespace mc::agent

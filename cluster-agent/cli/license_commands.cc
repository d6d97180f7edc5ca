#include "cluster-agent/cli/license_commands.h"

#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/site_client.h"
#include "cluster-agent/collect/kernel_files.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/documents/documents.h"
#include "cluster-agent/domain/license/contact.h"
#include "cluster-agent/state/kept_license.h"
#include "common/cli/output.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Stub = v1::AgentService::Stub;

std::string UntilText(const v1::LicenseAnswer& answer) {
  if (!answer.has_until()) return "";
  return absl::StrCat(TimeText(answer.until()), ", then ",
                      EnumText(answer.next_standing()));
}

std::string AllowedText(bool allowed) { return allowed ? "allowed" : "no"; }

std::string TextOf(const v1::GetLicenseStateResponse& state) {
  const v1::LicenseAnswer& answer = state.answer();
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Standing", EnumText(answer.standing())},
      {"Monitoring", AllowedText(answer.monitoring_allowed())},
      {"Overage", AllowedText(answer.overage_allowed())},
      {"Why", answer.reason()},
      {"Until", UntilText(answer)},
      {"Offline for",
       DaysText(FromProto(answer.offline()).value_or(absl::ZeroDuration()))},
  };
  if (state.has_license()) {
    const v1::LicenseDocument& license = state.license();
    lines.emplace_back("License", absl::StrCat(license.license_name(), " (",
                                               license.account_name(), ")"));
    lines.emplace_back("Key", license.license_key_masked());
    lines.emplace_back("Model",
                       absl::AsciiStrToLower(EnumText(license.model())));
    lines.emplace_back("Status", EnumText(license.status()));
    lines.emplace_back("Ends", license.has_ends_at()
                                   ? TimeText(license.ends_at())
                                   : "without end");
  }
  return Properties(lines);
}

std::string LineOf(const v1::LicenseAnswer& answer) {
  std::string line = absl::StrCat(
      EnumText(answer.standing()), "  monitoring ",
      AllowedText(answer.monitoring_allowed()), ", overage ",
      AllowedText(answer.overage_allowed()), "; ", answer.reason());
  if (answer.has_until()) {
    absl::StrAppend(&line, "; until ", UntilText(answer));
  }
  return line;
}

absl::StatusOr<std::string> SocketOf(const CommonArguments& common) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  return configuration->AgentSocket();
}

struct Kept {
  v1::LicenseDocument license;
  LicenseSituation situation;
};

absl::StatusOr<Kept> ReadKept(const std::string& directory) {
  const absl::StatusOr<KeptLicense> files = ReadKeptLicense(directory);
  if (!files.ok()) return files.status();
  const DocumentKeys keys(files->registration.document_keys().begin(),
                          files->registration.document_keys().end());
  const auto license =
      VerifyLicense(files->license.signed_license(), keys, files->cluster_id);
  if (!license.ok()) return license.status();
  const RealClock clock;
  std::string boot_id =
      ReadKernelFile({}, "/proc/sys/kernel/random/boot_id").value_or("");
  absl::StripAsciiWhitespace(&boot_id);
  Contact contact(&clock, boot_id);
  contact.Restore(
      files->contact.has_value()
          ? *files->contact
          : ContactOf(
                FromProto(files->license.verified_at()).value_or(clock.Now()),
                FromProto(license->issued_at()).value_or(clock.Now())));
  return Kept{*license, contact.Situation()};
}

}  // namespace

absl::Status ShowLicense(const CommonArguments& common) {
  const absl::StatusOr<std::string> socket = SocketOf(common);
  if (!socket.ok()) return socket.status();
  v1::GetLicenseStateResponse state;
  const absl::Status status = SiteClient(*socket).Call(
      &Stub::GetLicenseState, v1::GetLicenseStateRequest(), &state);
  if (!status.ok()) return status;
  if (common.json) return PrintJson(state);
  std::cout << TextOf(state);
  return absl::OkStatus();
}

absl::Status WatchLicense(const CommonArguments& common) {
  const absl::StatusOr<std::string> socket = SocketOf(common);
  if (!socket.ok()) return socket.status();
  absl::Status printed;
  const absl::Status ended =
      SiteClient(*socket).Read<v1::WatchLicenseStateResponse>(
          &Stub::WatchLicenseState, v1::WatchLicenseStateRequest(),
          [&](const v1::WatchLicenseStateResponse& state) {
            if (!common.json) {
              std::cout << FormatUtc(RealClock().Now()) << "  "
                        << LineOf(state.answer()) << std::endl;
              return true;
            }
            const absl::StatusOr<std::string> line = ToJson(state, true);
            printed = line.status();
            if (line.ok()) std::cout << *line << std::flush;
            return line.ok();
          });
  return printed.ok() ? ended : printed;
}

absl::Status SimulateLicense(const CommonArguments& common,
                             const SimulationArguments& arguments) {
  const auto offline = ParseDays("--offline", arguments.offline);
  if (!offline.ok()) return offline.status();
  Kept kept;
  if (!arguments.model.empty()) {
    auto license = SimulatedLicense(arguments);
    if (!license.ok()) return license.status();
    kept.license = *std::move(license);
    kept.situation.now = RealClock().Now();
    kept.situation.anchored = kept.situation.now;
  } else if (!arguments.ends_at.empty() || !arguments.grace.empty() ||
             arguments.overage) {
    return absl::InvalidArgumentError(
        "--ends-at, --grace and --overage need --model; without it the license "
        "that this cluster keeps is simulated");
  } else {
    const auto configuration = LoadConfiguration(common.config_file);
    if (!configuration.ok()) return configuration.status();
    auto read = ReadKept(configuration->values.state_directory());
    if (!read.ok()) return read.status();
    kept = *std::move(read);
  }
  kept.situation.license = &kept.license;
  kept.situation.unreachable = true;
  const auto text = Simulate(kept.situation, *offline, common.json);
  if (!text.ok()) return text.status();
  std::cout << *text;
  return absl::OkStatus();
}

}  // namespace mc::agent

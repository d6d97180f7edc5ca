// mcctl: the operators' command line.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "absl/synchronization/mutex.h"
#include "common/status/status.h"
#include "mc-service/ctl/client.h"
#include "mc-service/ctl/commands.h"

namespace {

using mc::service::Client;
using mc::service::Context;

int Run(int argc, char** argv) {
  CLI::App app("Mission Control: accounts, licenses, clusters and releases");
  app.name("mcctl");
  app.footer(
      "Example:\n"
      "  mcctl --config service/mcctl.yaml account create --name Example\n"
      "  mcctl cluster list --output json\n\n"
      "Exit codes: 0 done, 2 wrong usage, 3 not found, 4 not allowed, 5 the\n"
      "service cannot be reached, 6 the state does not allow it, 7 a limit\n"
      "was reached, 8 not supported yet, 1 anything else.");
  app.require_subcommand(1);
  // Options of mcctl itself may also stand behind the command.
  app.fallthrough();

  Client client({.config_file = Client::DefaultConfigFile()});
  std::string output = "table";
  double timeout_seconds = 10;
  app.add_option("--config", client.options().config_file,
                 "Configuration (default: $MCCTL_CONFIG, else "
                 "~/.config/mcctl/mcctl.yaml)");
  app.add_option("--output", output,
                 "table (default) or json; usage and ledger entries also csv")
      ->check(CLI::IsMember({"table", "json", "csv"}));
  app.add_option("--timeout", timeout_seconds, "Seconds for one call (10)")
      ->check(CLI::PositiveNumber);
  app.set_version_flag("--version", std::string("mcctl " MC_VERSION));
  app.parse_complete_callback([&] {
    client.options().json = output == "json";
    client.options().csv = output == "csv";
    client.options().timeout = absl::Seconds(timeout_seconds);
  });

  Context context{.client = &client, .status = absl::OkStatus()};
  mc::service::AddAccountCommands(app, context);
  mc::service::AddLicenseCommands(app, context);
  mc::service::AddClusterCommands(app, context);
  mc::service::AddConsumptionCommands(app, context);
  mc::service::AddUsageCommands(app, context);
  mc::service::AddReleaseCommands(app, context);
  mc::service::AddEventCommands(app, context);
  mc::service::AddExchangeCommands(app, context);
  mc::service::AddFindingCommands(app, context);
  mc::service::AddOperatorCommands(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // Help and version are no errors.
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (!context.status.ok()) {
    std::cerr << "mcctl: " << context.status.message();
    const auto reason = mc::ReasonOf(context.status);
    if (reason != missioncontrol::v1::ERROR_REASON_UNSPECIFIED) {
      std::cerr << " (" << mc::ResultName(context.status) << ")";
    }
    std::cerr << "\n";
  }
  return mc::ExitCodeOf(context.status);
}

}  // namespace

int main(int argc, char** argv) {
  // Debian builds Abseil with its deadlock detector on, which costs more than
  // what it watches.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return Run(argc, argv);
}

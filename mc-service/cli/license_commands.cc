#include <iostream>
#include <memory>
#include <string>

#include "common/license/simulation.h"
#include "common/time/clock.h"
#include "mc-service/cli/key_commands.h"

namespace mc::service {
namespace {

struct Arguments {
  SimulationArguments simulation;
  std::string output = "text";
};

absl::Status SimulateLicense(const Arguments& arguments) {
  const auto offline = ParseDays("--offline", arguments.simulation.offline);
  if (!offline.ok()) return offline.status();
  const auto license = SimulatedLicense(arguments.simulation);
  if (!license.ok()) return license.status();
  const absl::Time now = RealClock().Now();
  const LicenseSituation situation = {
      .license = &*license, .now = now, .anchored = now, .unreachable = true};
  const auto text = Simulate(situation, *offline, arguments.output == "json");
  if (!text.ok()) return text.status();
  std::cout << *text;
  return absl::OkStatus();
}

}  // namespace

void AddLicenseCommands(CLI::App& app, std::function<absl::Status()>& run) {
  constexpr char kExamples[] =
      "Examples:\n"
      "  mc-service license simulate --model classic --offline 20d\n"
      "  mc-service license simulate --model trial --grace 3d --offline 10d "
      "\\\n"
      "    --ends-at 2030-01-01T00:00:00Z --output json";
  CLI::App* license =
      app.add_subcommand("license", "What licenses do during an outage");
  license->require_subcommand(1);
  license->footer(kExamples);
  CLI::App* simulate = license->add_subcommand(
      "simulate",
      "Tell what a cluster does, when, while it cannot reach this service");
  const auto arguments = std::make_shared<Arguments>();
  SimulationArguments& simulation = arguments->simulation;
  simulate
      ->add_option("--model", simulation.model,
                   "classic, trial or subscription")
      ->required();
  simulate
      ->add_option("--offline", simulation.offline,
                   "How long the outage lasts, for instance 20d or 36h")
      ->capture_default_str();
  simulate->add_option("--ends-at", simulation.ends_at,
                       "The license's end date (default: none)");
  simulate->add_option("--grace,--grace-period", simulation.grace,
                       "The license's grace period (default: the model's)");
  simulate->add_flag("--overage", simulation.overage,
                     "The license allows overage");
  simulate->add_option("--output", arguments->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  simulate->footer(kExamples);
  simulate->callback([&run, arguments] {
    run = [arguments] { return SimulateLicense(*arguments); };
  });
}

}  // namespace mc::service

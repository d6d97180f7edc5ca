#include "mc-service/cli/key_commands.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/time/clock.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/cli/document_keys.h"

namespace mc::service {
namespace {

struct Arguments {
  std::string config = "mc-service.yaml";
  std::string output = "text";
};

absl::Status Rotate(const Arguments& arguments) {
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(arguments.config);
  if (!configuration.ok()) return configuration.status();
  const absl::StatusOr<RotatedKey> rotated =
      RotateDocumentKey(configuration->state(), RealClock().Now());
  if (!rotated.ok()) return rotated.status();
  if (arguments.output == "json") {
    std::cout << nlohmann::json{{"keyId", rotated->key_id},
                                {"predecessorKeyId", rotated->predecessor_id}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << "Document key " << rotated->key_id << " follows "
              << rotated->predecessor_id
              << ".\nRestart the service to sign with it, and back up the "
                 "folder keys.\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddKeyCommands(CLI::App& app, std::function<absl::Status()>& run) {
  CLI::App* keys = app.add_subcommand("keys", "The keys that sign documents");
  keys->require_subcommand(1);
  keys->footer(
      "Example:\n  mc-service keys rotate --config DIR/mc-service.yaml");
  CLI::App* rotate = keys->add_subcommand(
      "rotate",
      "Make a new document key, vouched for by the one in use; clusters learn "
      "it with their next license check, after a restart of the service");
  const auto arguments = std::make_shared<Arguments>();
  rotate->add_option("--config", arguments->config, "The configuration file")
      ->capture_default_str();
  rotate->add_option("--output", arguments->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  rotate->footer(
      "Licenses, releases and receipts that older keys have signed stay good.\n"
      "Example:\n  mc-service keys rotate --config DIR/mc-service.yaml");
  rotate->callback(
      [&run, arguments] { run = [arguments] { return Rotate(*arguments); }; });
}

}  // namespace mc::service

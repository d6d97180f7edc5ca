#include "mc-service/cli/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "common/files/files.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/cli/authorities.h"
#include "mc-service/cli/backup_commands.h"
#include "mc-service/cli/ca_commands.h"
#include "mc-service/cli/checks.h"
#include "mc-service/cli/configuration.h"
#include "mc-service/cli/front_command.h"
#include "mc-service/cli/healthcheck.h"
#include "mc-service/cli/init.h"
#include "mc-service/cli/key_commands.h"
#include "mc-service/cli/run.h"

namespace mc::service {
namespace {

constexpr int kUsageError = 2;
constexpr char kConfigFile[] = "mc-service.yaml";

// What the subcommands take, and what they return.
struct Arguments {
  InitOptions init;
  std::string config = kConfigFile;
  std::string output = "text";
  FrontOptions front;
  FrontFilesOptions front_files;
  // `healthcheck --front`.
  bool ask_front = false;
  bool strict = false;
};

absl::Status InitCommand(InitOptions options) {
  const RealClock clock;
  options.clock = &clock;
  if (options.server_names.empty()) {
    options.server_names = DefaultServerNames();
  }
  const bool there = FileExists(StateLayout(options.directory).ConfigFile());
  absl::Status status = Init(options);
  if (status.ok() && !there) {
    std::cout << NextSteps(options);
  }
  return status;
}

absl::Status ValidateCommand(const Arguments& arguments) {
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(arguments.config);
  std::vector<Problem> problems;
  if (configuration.ok()) {
    problems = CheckConfiguration(*configuration, RealClock().Now());
  } else {
    problems.push_back({Problem::Severity::kError, arguments.config,
                        std::string(configuration.status().message())});
  }
  std::cout << (arguments.output == "json" ? ProblemsAsJson(problems)
                                           : ProblemsAsText(problems));
  if (arguments.strict) {
    for (Problem& problem : problems) {
      problem.severity = Problem::Severity::kError;
    }
  }
  return FirstError(problems);
}

absl::Status HealthcheckCommand(const Arguments& arguments) {
  if (arguments.ask_front) return FrontHealthcheck(arguments.front.metrics);
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(arguments.config);
  if (!configuration.ok()) return configuration.status();
  return Healthcheck(*configuration);
}

// What clusters trust: they are given it as their service.ca_file.
absl::Status ServerCaCommand(const Arguments& arguments) {
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(arguments.config);
  if (!configuration.ok()) return configuration.status();
  const absl::StatusOr<std::string> pem = TrustedAuthorities(
      configuration->state(), AuthorityKind::kServer, RealClock().Now());
  if (pem.ok()) std::cout << *pem;
  return pem.status();
}

absl::Status RunCommand(const Arguments& arguments) {
  const absl::StatusOr<Configuration> configuration =
      LoadConfiguration(arguments.config);
  if (!configuration.ok()) return configuration.status();
  return Run(*configuration);
}

void AddConfigOption(CLI::App* command, Arguments& arguments) {
  command->add_option("--config", arguments.config, "The configuration file")
      ->capture_default_str();
}

CLI::App* AddInit(CLI::App& app, Arguments& arguments) {
  CLI::App* init =
      app.add_subcommand("init", "Make the state directory of a new service");
  InitOptions& options = arguments.init;
  init->add_option("--directory", options.directory,
                   "The directory to make; it must be absent or empty")
      ->required();
  init->add_option("--server-name", options.server_names,
                   "A DNS name or address that clusters and operators reach "
                   "the service by; repeat it for more (default: localhost, "
                   "127.0.0.1, ::1 and this host's name)");
  init->add_option("--trust-domain", options.trust_domain,
                   "The authority in all identities")
      ->capture_default_str();
  init->add_flag("--if-missing", options.if_missing,
                 "Succeed, and change nothing, where the service is there "
                 "already: for containers, before each start");
  init->add_option("--front-socket", options.front_socket,
                   "Where the service meets its enrollment front; relative to "
                   "the directory")
      ->capture_default_str();
  init->add_option("--front-group", options.front_group,
                   "The group of the front's user (default: the front runs as "
                   "the service's own user)");
  init->add_flag("--without-front", options.without_front,
                 "Let the service itself open the enrollment listener");
  init->add_flag("--free-ports", options.free_ports,
                 "Let every listener take a free port on 127.0.0.1; ports.json "
                 "in the directory says which, while the service runs. "
                 "Everything is in one process, as with --without-front");
  init->footer(
      "Example:\n"
      "  mc-service init --directory /var/lib/mission-control \\\n"
      "    --server-name mc.example.com --trust-domain example.com");
  return init;
}

CLI::App* AddRun(CLI::App& app, Arguments& arguments) {
  CLI::App* run = app.add_subcommand("run", "Run the service");
  AddConfigOption(run, arguments);
  run->footer(
      "SIGTERM or SIGINT ends it in order, a second one at once.\n"
      "Example:\n  mc-service run --config DIR/mc-service.yaml");
  return run;
}

CLI::App* AddValidate(CLI::App& app, Arguments& arguments) {
  CLI::App* validate = app.add_subcommand(
      "validate", "Report what is wrong with the configuration and its files");
  AddConfigOption(validate, arguments);
  validate->add_option("--output", arguments.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  validate->add_flag("--strict", arguments.strict,
                     "Count warnings, such as weak settings, as errors");
  validate->footer(
      "Exit code 2 when there is an error; warnings alone are no error without "
      "--strict.\n"
      "Example:\n"
      "  mc-service validate --config DIR/mc-service.yaml --output json");
  return validate;
}

CLI::App* AddHealthcheck(CLI::App& app, Arguments& arguments) {
  CLI::App* healthcheck = app.add_subcommand(
      "healthcheck", "Ask the running service whether it is ready");
  AddConfigOption(healthcheck, arguments);
  healthcheck->add_flag("--front", arguments.ask_front,
                        "Ask the enrollment front instead");
  healthcheck
      ->add_option("--metrics", arguments.front.metrics,
                   "With --front: its own option --metrics")
      ->capture_default_str();
  healthcheck->footer(
      "Exit code 0 when it is ready, 5 when it is not.\n"
      "Example:\n  mc-service healthcheck --config DIR/mc-service.yaml");
  return healthcheck;
}

CLI::App* AddServerCa(CLI::App& app, Arguments& arguments) {
  CLI::App* server_ca = app.add_subcommand(
      "server-ca", "Print the certificate that clusters trust the service by");
  AddConfigOption(server_ca, arguments);
  server_ca->footer(
      "For where the state directory cannot be read, as in a container.\n"
      "Example:\n  mc-service server-ca --config DIR/mc-service.yaml");
  return server_ca;
}

}  // namespace

int RunProgram(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("The vendor's side of Mission Control.", "mc-service");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  mc-service init --directory DIR\n"
      "  mc-service validate --config DIR/mc-service.yaml\n"
      "  mc-service run --config DIR/mc-service.yaml\n"
      "  mc-service enroll-front --config DIR/mc-service.yaml\n"
      "\n"
      "Exit codes: 0 success, 1 failure or damage, 2 wrong usage or "
      "configuration, 3 there is no such\nfile, 4 another key is needed, 5 the "
      "service cannot be reached, 6 the state does not allow it,\n7 too little "
      "space.");
  CLI::App* init = AddInit(app, arguments);
  CLI::App* run = AddRun(app, arguments);
  CLI::App* front = AddFrontCommand(app, arguments.front);
  CLI::App* front_files = AddFrontFilesCommand(app, arguments.front_files);
  CLI::App* validate = AddValidate(app, arguments);
  CLI::App* healthcheck = AddHealthcheck(app, arguments);
  CLI::App* server_ca = AddServerCa(app, arguments);
  BackupCommands backups(app, MC_VERSION);
  CLI::App* version = app.add_subcommand("version", "Print the version");
  std::function<absl::Status()> grouped;
  AddCaCommands(app, grouped);
  AddKeyCommands(app, grouped);
  AddLicenseCommands(app, grouped);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << "mc-service: " << error.what() << " (see --help)\n";
    return kUsageError;
  }
  absl::Status status;
  if (init->parsed()) {
    status = InitCommand(arguments.init);
  } else if (run->parsed()) {
    status = RunCommand(arguments);
  } else if (front->parsed()) {
    status = RunFront(arguments.front);
  } else if (front_files->parsed()) {
    status = CopyFrontFiles(arguments.front_files);
  } else if (validate->parsed()) {
    // The report is the result; there is nothing to add to it.
    return ExitCodeOf(ValidateCommand(arguments));
  } else if (healthcheck->parsed()) {
    status = HealthcheckCommand(arguments);
  } else if (server_ca->parsed()) {
    status = ServerCaCommand(arguments);
  } else if (backups.parsed()) {
    status = backups.Run();
  } else if (version->parsed()) {
    std::cout << "mc-service " MC_VERSION "\n";
  } else if (grouped) {
    status = grouped();
  }
  if (!status.ok()) {
    std::cerr << "mc-service: " << status.message() << "\n";
  }
  return ExitCodeOf(status);
}

}  // namespace mc::service

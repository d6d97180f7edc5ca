// mcctl's commands, by subject. Each function adds its commands to the
// application; they run through `Run`, which keeps the status for main.
#ifndef MC_SERVICE_CTL_COMMANDS_H_
#define MC_SERVICE_CTL_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "mc-service/ctl/client.h"

namespace mc::service {

struct Context {
  Client* client = nullptr;
  // What the command that ran returned.
  absl::Status status;
};

// A command with an example in its help; `run` is called when it is given.
// The application outlives the returned pointer.
CLI::App* AddCommand(CLI::App& parent, Context& context,
                     const std::string& name, const std::string& description,
                     const std::string& example,
                     std::function<absl::Status()> run);

// A command that only groups others.
CLI::App* AddGroup(CLI::App& parent, const std::string& name,
                   const std::string& description);

// The options of every listing; they live as long as the command.
struct PageOptions {
  int size = 0;
  std::string token;
  void AddTo(CLI::App& command);
};

void AddAccountCommands(CLI::App& app, Context& context);
void AddLicenseCommands(CLI::App& app, Context& context);
// `license update`, below the group of the others.
void AddLicenseUpdate(CLI::App& group, Context& context);
// `license token ...`, below the same group.
void AddTokenCommands(CLI::App& group, Context& context);
// The values of --enrollment-policy by their names.
const std::map<std::string, v1::EnrollmentPolicy>& EnrollmentPolicies();
// A license for people.
std::string LicenseText(const v1::License& license);
void AddUsageCommands(CLI::App& app, Context& context);
void AddClusterCommands(CLI::App& app, Context& context);
void AddConsumptionCommands(CLI::App& app, Context& context);
void AddReleaseCommands(CLI::App& app, Context& context);
void AddEventCommands(CLI::App& app, Context& context);
void AddExchangeCommands(CLI::App& app, Context& context);
void AddFindingCommands(CLI::App& app, Context& context);
void AddOperatorCommands(CLI::App& app, Context& context);

}  // namespace mc::service

#endif  // MC_SERVICE_CTL_COMMANDS_H_

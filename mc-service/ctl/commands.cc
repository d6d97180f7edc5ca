#include "mc-service/ctl/commands.h"

#include <utility>

namespace mc::service {

CLI::App* AddCommand(CLI::App& parent, Context& context,
                     const std::string& name, const std::string& description,
                     const std::string& example,
                     std::function<absl::Status()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer("Example:\n  " + example);
  command->callback(
      [&context, run = std::move(run)] { context.status = run(); });
  return command;
}

CLI::App* AddGroup(CLI::App& parent, const std::string& name,
                   const std::string& description) {
  CLI::App* group = parent.add_subcommand(name, description);
  group->require_subcommand(1);
  group->footer("Example:\n  mcctl " + name + " list");
  return group;
}

void PageOptions::AddTo(CLI::App& command) {
  command.add_option("--page-size", size, "Rows of a page, at most 1000 (50)");
  command.add_option("--page-token", token,
                     "Where the page starts, as the page before said");
}

}  // namespace mc::service

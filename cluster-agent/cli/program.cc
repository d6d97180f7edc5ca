#include "cluster-agent/cli/program.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "cluster-agent/agent.h"
#include "cluster-agent/cli/agent_commands.h"
#include "cluster-agent/cli/doctor_command.h"
#include "cluster-agent/cli/event_commands.h"
#include "cluster-agent/cli/license_commands.h"
#include "cluster-agent/cli/node_admin_commands.h"
#include "cluster-agent/cli/node_commands.h"
#include "cluster-agent/cli/outbox_commands.h"
#include "cluster-agent/cli/run_with_lease.h"
#include "cluster-agent/cli/site_commands.h"
#include "common/status/status.h"

namespace mc::agent {
namespace {

constexpr int kUsageError = 2;
constexpr int kNodeRemoved = 9;
constexpr int kInvoiceDiffers = 12;
constexpr int kDataDamaged = 13;
constexpr char kConfigFile[] = "/etc/mission-control/cluster-agent.yaml";
constexpr int kPageSize = 100;

// The commands and what they are given.
class Program {
 public:
  Program() : app_("The customer's side of Mission Control.", "cluster-agent") {
    common_.config_file = kConfigFile;
    app_.require_subcommand(1);
    // --config and --output may stand before or after the subcommand.
    app_.fallthrough();
    app_.add_option("--config", common_.config_file, "The configuration file")
        ->capture_default_str();
    app_.add_option("--output", output_, "table or json")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    app_.footer(
        "Examples:\n"
        "  cluster-agent validate --config FILE\n"
        "  cluster-agent run --config FILE\n"
        "  cluster-agent status --config FILE\n"
        "\n"
        "Exit codes: 0 success, 1 failure, 2 wrong usage, input or "
        "configuration, 3 not found,\n4 not allowed, 5 the other side cannot "
        "be reached, 6 the state does not allow it,\n7 a limit was reached, 8 "
        "not built yet, 9 this node was removed from its site,\n10 not the "
        "master (any more), 11 only warnings (doctor), 12 the invoice does not "
        "agree\n(usage verify), 13 a file of the agent is damaged, and was "
        "left as it is.");
    AddAgentCommands();
    AddNodeCommands();
    AddUsageCommands();
    AddDescribeCommands();
    AddOutboxCommands();
    AddEventCommands();
    AddShowCommands();
    AddLicenseCommands();
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app_.exit(error);
      std::cerr << "cluster-agent: " << error.what() << " (see --help)\n";
      return kUsageError;
    }
    common_.json = output_ == "json";
    const absl::Status status = run_();
    if (!status.ok() && !status.message().empty()) {
      std::cerr << "cluster-agent: " << status.message() << "\n";
    }
    // Of an agent that runs; a command that is the master's has no such end.
    if (ReasonOf(status) == missioncontrol::v1::ERROR_REASON_NOT_MASTER &&
        app_.got_subcommand("run")) {
      return kNotMaster;
    }
    if (ReasonOf(status) == missioncontrol::v1::ERROR_REASON_NODE_REMOVED) {
      return kNodeRemoved;
    }
    if (absl::IsDataLoss(status)) return kDataDamaged;
    return status.ok() ? exit_code_ : ExitCodeOf(status);
  }

 private:
  // A command that does something; groups of commands have no `run`.
  CLI::App* Add(CLI::App* parent, const char* name, const char* description,
                const std::string& example,
                std::function<absl::Status()> run = nullptr) {
    CLI::App* command = parent->add_subcommand(name, description);
    command->footer("Example:\n  cluster-agent " + example);
    command->fallthrough();
    if (run) {
      command->callback([this, run = std::move(run)] { run_ = run; });
    } else {
      command->require_subcommand(1);
    }
    return command;
  }

  void AddAgentCommands() {
    Add(&app_, "run", "Run the agent; SIGTERM or SIGINT ends it in order",
        "run --config FILE", [this] { return RunAgent(common_.config_file); });
    Add(&app_, "install",
        "Report this installation once; prints what the license key is for",
        "install --config FILE",
        [this] { return InstallOnce(common_.config_file, common_.json); });
    Add(&app_, "register",
        "Register this cluster once; `run` does so by itself",
        "register --config FILE",
        [this] { return RegisterOnce(common_.config_file, common_.json); });
  }

  void AddNodeCommands() {
    CLI::App* node = Add(&app_, "node", "The nodes of a site of several",
                         "node join --token-file join.token");
    Add(node, "run", "Run the agent of a node that is not the master",
        "node run --config FILE",
        [this] { return RunNode(common_.config_file); });
    CLI::App* join =
        Add(node, "join",
            "Join the site of the master in node.join_address; again: with "
            "fresh keys",
            "node join --token-file join.token",
            [this] { return JoinNode(common_, token_file_); });
    join->add_option("--token-file", token_file_,
                     "An owner-only file with the token (default: "
                     "MC_JOIN_TOKEN, or node.join_token_file)");
    AddNodeAdminCommands(node);
  }

  void AddUsageCommands() {
    CLI::App* usage = Add(&app_, "usage", "Record what was used",
                          "usage record --environment plant --rum-sessions 3");
    CLI::App* record =
        Add(usage, "record", "Record usage; it is durable when this succeeds",
            "usage record --file records.json\n"
            "  cluster-agent usage record --environment plant --meter "
            "log-bytes:bytes:4096",
            [this] { return RecordUsage(common_, usage_); });
    record->add_option("--file", usage_.file,
                       "JSON of RecordUsageRequest; - for standard input");
    record->add_option("--environment", usage_.environment,
                       "The environment's ID");
    record->add_option("--key", usage_.key,
                       "A record with the same key counts once (default: a "
                       "random one)");
    record->add_option("--rum-sessions", usage_.rum_sessions, "User sessions")
        ->check(CLI::NonNegativeNumber);
    record->add_option("--new-problems", usage_.new_problems, "New problems")
        ->check(CLI::NonNegativeNumber);
    record->add_option("--meter", usage_.meter, "ID:UNIT:QUANTITY");
    CLI::App* traffic =
        Add(usage, "traffic", "Add to the traffic that the product took in",
            "usage traffic --bytes 4096",
            [this] { return RecordTraffic(common_, bytes_); });
    traffic->add_option("--bytes", bytes_, "Bytes since the last call")
        ->required()
        ->check(CLI::NonNegativeNumber);
    AddVerifyCommand(usage);
  }

  void AddDescribeCommands() {
    CLI::App* describe = Add(&app_, "describe",
                             "Describe the product, in place of what was "
                             "described before",
                             "describe environments plant office");
    CLI::App* environments =
        Add(describe, "environments", "All environments",
            "describe environments plant office",
            [this] { return DescribeEnvironments(common_, environments_); });
    environments->add_option("ID", environments_, "The environments' IDs");
    CLI::App* node =
        Add(describe, "node", "This node and all of its services",
            "describe node --product-version 1.2.3 --service indexer=running",
            [this] { return DescribeNode(common_, node_); });
    node->add_option("--file", node_.file,
                     "JSON of DescribeNodeRequest; - for standard input");
    node->add_option("--product-version", node_.product_version,
                     "The product's version");
    node->add_option("--server-state", node_.server_state,
                     "The state of the product's server, for instance running");
    node->add_option("--service", node_.services,
                     "NAME=STATE; repeat it for more");
    CLI::App* gates =
        Add(describe, "active-gates", "All ActiveGates",
            "describe active-gates --file active-gates.json",
            [this] { return DescribeActiveGates(common_, gates_file_); });
    gates
        ->add_option("--file", gates_file_,
                     "JSON of DescribeActiveGatesRequest; - for standard "
                     "input")
        ->required();
  }

  void AddEventCommands() {
    CLI::App* list =
        Add(&app_, "events",
            "The cluster's events, newest first, whether the agent runs or not",
            "events --output json",
            [this] { return ListEvents(common_, page_size_, page_token_); });
    AddPageOptions(list);
    CLI::App* record =
        Add(&app_, "record-event",
            "Tell an event of the product; it is durable when this succeeds",
            "record-event --type update_started --node NODE_ID",
            [this] { return RecordEvent(common_, event_); });
    record->add_option("--file", event_.file,
                       "JSON of RecordEventsRequest; - for standard input");
    record->add_option("--type", event_.type,
                       "As in the contract, for instance update_started");
    record->add_option("--severity", event_.severity,
                       "info, warning or severe (default: that of the type)");
    record->add_option("--id", event_.id,
                       "An event with the same ID is recorded once (default: a "
                       "random one)");
    record->add_option("--node", event_.node_id, "The node that it is about");
  }

  void AddPageOptions(CLI::App* list) {
    list->add_option("--page-size", page_size_, "At most this many")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    list->add_option("--page-token", page_token_, "Where a list went on");
  }

  void AddOutboxCommands() {
    CLI::App* outbox =
        Add(&app_, "outbox", "Reports that the service has not confirmed yet",
            "outbox list");
    CLI::App* list = Add(
        outbox, "list", "List them, whether the agent runs or not",
        "outbox list --all --output json",
        [this] { return ListOutbox(common_, page_size_, page_token_, all_); });
    list->add_flag("--all", all_,
                   "Also those that have their receipt and are kept");
    AddPageOptions(list);
    CLI::App* show =
        Add(outbox, "show", "One of them as JSON: exactly what leaves",
            "outbox show billing 1777888800000000 1",
            [this] { return ShowOutboxReport(common_, report_); });
    show->add_option("LANE", report_.lane, "billing, events or health")
        ->required();
    show->add_option("EPOCH", report_.epoch, "As outbox list prints it")
        ->required();
    show->add_option("SEQUENCE", report_.sequence, "As outbox list prints it")
        ->required();
    Add(outbox, "explain", "What each of them waits for, and what to do",
        "outbox explain", [this] { return ExplainOutbox(common_); });
  }

  void AddVerifyCommand(CLI::App* usage) {
    CLI::App* verify = Add(
        usage, "verify",
        "Check an invoice against the service's signed receipts, and against "
        "the reports that are kept. Exit code 0: nothing speaks against it, "
        "12: something does",
        "usage verify --invoice entries.csv", [this] {
          bool agrees = false;
          absl::Status status = VerifyInvoice(common_, invoice_, agrees);
          if (!agrees) exit_code_ = kInvoiceDiffers;
          return status;
        });
    verify
        ->add_option("--invoice", invoice_,
                     "What mcctl ledger entries --output csv exports")
        ->required();
  }

  void AddShowCommands() {
    CLI::App* status =
        Add(&app_, "status", "What the agent does and waits for",
            "status --check", [this] { return ShowStatus(common_, check_); });
    status->add_flag("--check", check_, "Fail unless the agent is connected");
    Add(&app_, "validate",
        "Report what is wrong with the configuration and its files",
        "validate --config FILE", [this] { return Validate(common_); });
    Add(&app_, "doctor",
        "Find out what keeps the agent from its service, and what to do. Exit "
        "code 0: all is well, 11: only warnings, 1: something failed",
        "doctor --config FILE --output json",
        [this] { return RunDoctor(common_, exit_code_); });
    Add(&app_, "version", "Print the version", "version", [] {
      std::cout << "cluster-agent " << AgentVersion() << "\n";
      return absl::OkStatus();
    });
  }

  void AddLicenseCommands() {
    CLI::App* license =
        Add(&app_, "license", "What the license allows, also in an outage",
            "license show");
    Add(license, "show", "What it allows now, why, and until when",
        "license show --output json", [this] { return ShowLicense(common_); });
    Add(license, "watch", "The same, at once and at each change",
        "license watch", [this] { return WatchLicense(common_); });
    CLI::App* simulate = Add(
        license, "simulate",
        "What an outage from now on would do, when: to this cluster's license, "
        "or to any",
        "license simulate --offline 20d\n"
        "  cluster-agent license simulate --offline 20d --model trial --grace "
        "3d --ends-at 2030-01-01T00:00:00Z",
        [this] { return SimulateLicense(common_, simulation_); });
    simulate
        ->add_option("--offline", simulation_.offline,
                     "How long the outage lasts, for instance 20d or 36h")
        ->capture_default_str();
    simulate->add_option("--model", simulation_.model,
                         "classic, trial or subscription (default: the "
                         "license that this cluster keeps)");
    simulate->add_option("--ends-at", simulation_.ends_at,
                         "With --model: the end date (default: none)");
    simulate->add_option("--grace,--grace-period", simulation_.grace,
                         "With --model: the grace period (default: the "
                         "model's)");
    simulate->add_flag("--overage", simulation_.overage,
                       "With --model: the license allows overage");
  }

  // On the master; nodes have commands of their own in the same group.
  void AddNodeAdminCommands(CLI::App* node) {
    CLI::App* token = Add(node, "token", "What nodes join the site with",
                          "node token create --ttl 1h --uses 3");
    CLI::App* create =
        Add(token, "create", "Make a token; it is a secret, and shown once",
            "node token create --ttl 1h --uses 3 > join.token",
            [this] { return CreateJoinToken(common_, ttl_, uses_); });
    create->add_option("--ttl", ttl_, "How long it is good, at most 720h")
        ->capture_default_str();
    create->add_option("--uses", uses_, "How many nodes may join with it")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    CLI::App* list =
        Add(node, "list", "The nodes of the site, the master first",
            "node list --output json",
            [this] { return ListNodes(common_, page_size_, page_token_); });
    list->add_option("--page-size", page_size_, "At most this many")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    list->add_option("--page-token", page_token_, "Where a list went on");
    CLI::App* remove =
        Add(node, "remove",
            "Forget a node and refuse its certificate; it may join again",
            "node remove 0f8fad5b-d9cb-469f-a165-70867728950e",
            [this] { return RemoveNode(common_, node_id_); });
    remove->add_option("NODE_ID", node_id_, "As in node list")->required();
  }

  CLI::App app_;
  CommonArguments common_;
  std::string output_ = "table";
  std::function<absl::Status()> run_;
  // Of a command that succeeded.
  int exit_code_ = 0;
  UsageArguments usage_;
  EventArguments event_;
  int64_t bytes_ = 0;
  std::vector<std::string> environments_;
  NodeArguments node_;
  std::string gates_file_;
  bool check_ = false;
  std::string ttl_ = "1h";
  int uses_ = 1;
  std::string node_id_;
  std::string token_file_;
  bool all_ = false;
  ReportArguments report_;
  std::string invoice_;
  int page_size_ = kPageSize;
  std::string page_token_;
  SimulationArguments simulation_;
};

}  // namespace

int RunProgram(int argc, char** argv) { return Program().Run(argc, argv); }

}  // namespace mc::agent

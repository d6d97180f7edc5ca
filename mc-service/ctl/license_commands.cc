#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/values.h"

namespace mc::service {
namespace {

std::string LimitText(bool has, int64_t value) {
  return has ? absl::StrCat(value) : "unlimited";
}

}  // namespace

std::string LicenseText(const v1::License& license) {
  const v1::LicenseLimits& limits = license.limits();
  std::vector<std::pair<std::string, std::string>> lines = {
      {"License", license.license_id()},
      {"Name", license.name()},
      {"Account",
       absl::StrCat(license.account_name(), " (", license.account_id(), ")")},
      {"Key", license.license_key_masked()},
      {"Status", EnumText(license.status())},
      {"Model", EnumText(license.model())},
      {"Starts", TimeText(license.starts_at())},
      {"Ends", license.has_ends_at() ? TimeText(license.ends_at()) : "never"},
      {"Clusters",
       absl::StrCat(license.registered_clusters(), " of ",
                    LimitText(limits.has_clusters(), limits.clusters()))},
      {"Host units", limits.has_host_units_milli()
                         ? MilliText(limits.host_units_milli())
                         : "unlimited"},
      {"RUM sessions",
       LimitText(limits.has_rum_sessions(), limits.rum_sessions())},
      {"Synthetic executions", LimitText(limits.has_synthetic_executions(),
                                         limits.synthetic_executions())},
      {"Overage", EnumText(limits.overage())},
      {"Reset", EnumText(limits.reset())},
      {"Enrollment", EnumText(license.enrollment_policy())},
  };
  for (const v1::MeterLimit& meter : limits.meters()) {
    lines.emplace_back(
        "Meter " + meter.meter_id(),
        absl::StrCat(LimitText(meter.has_quantity(), meter.quantity()), " ",
                     meter.unit(), ", overage ", EnumText(meter.overage())));
  }
  for (const v1::Entitlement& entitlement : license.entitlements()) {
    lines.emplace_back("Entitlement " + entitlement.name(),
                       entitlement.has_limit()
                           ? absl::StrCat(entitlement.limit())
                       : entitlement.enabled() ? "true"
                                               : "false");
  }
  return Properties(lines);
}

namespace {

// What `license create` was given, before it is a request.
struct CreateOptions {
  v1::CreateLicenseRequest request;
  std::string model = "classic";
  std::string overage, reset;
  std::string starts_at, ends_at, grace_period, host_units;
  std::vector<std::string> meters, entitlements;

  absl::Status Complete();
};

absl::Status CreateOptions::Complete() {
  static const auto& models = *new std::map<std::string, v1::LicenseModel>{
      {"classic", v1::LICENSE_MODEL_CLASSIC},
      {"trial", v1::LICENSE_MODEL_TRIAL},
      {"subscription", v1::LICENSE_MODEL_SUBSCRIPTION}};
  request.set_model(models.at(model));
  v1::LicenseLimits& limits = *request.mutable_limits();
  limits.set_overage(overage == "allowed" ? v1::OVERAGE_RULE_ALLOWED
                                          : v1::OVERAGE_RULE_NOT_ALLOWED);
  limits.set_reset(reset == "annual" ? v1::QUOTA_RESET_ANNUAL
                                     : v1::QUOTA_RESET_MONTHLY);
  if (!starts_at.empty()) {
    const auto time = TimeValue("--starts-at", starts_at);
    if (!time.ok()) return time.status();
    *request.mutable_starts_at() = *time;
  }
  if (!ends_at.empty()) {
    const auto time = TimeValue("--ends-at", ends_at);
    if (!time.ok()) return time.status();
    *request.mutable_ends_at() = *time;
  }
  if (!grace_period.empty()) {
    const auto grace = DurationValue("--grace-period", grace_period);
    if (!grace.ok()) return grace.status();
    *request.mutable_grace_period() = *grace;
  }
  if (!host_units.empty()) {
    const auto milli = MilliValue("--host-units", host_units);
    if (!milli.ok()) return milli.status();
    limits.set_host_units_milli(*milli);
  }
  for (const std::string& text : meters) {
    const auto meter = MeterValue(text);
    if (!meter.ok()) return meter.status();
    *limits.add_meters() = *meter;
  }
  for (const std::string& text : entitlements) {
    const auto entitlement = EntitlementValue(text);
    if (!entitlement.ok()) return entitlement.status();
    *request.add_entitlements() = *entitlement;
  }
  return absl::OkStatus();
}

void AddCreate(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto options = std::make_shared<CreateOptions>();
  CLI::App* command = AddCommand(
      group, context, "create", "Create a license; its key is shown this once",
      "mcctl license create --account ID --name production "
      "--rum-sessions 100000 --host-units 10.5 --overage allowed",
      [&client, options] {
        absl::Status status = options->Complete();
        if (!status.ok()) return status;
        v1::CreateLicenseResponse response;
        status =
            client.Call(&FleetStub::CreateLicense, options->request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          return absl::StrCat(
              LicenseText(response.license()), "\nLicense key (it ",
              "is not shown again): ", response.license_key(), "\n");
        });
      });
  v1::CreateLicenseRequest& request = options->request;
  const auto text = [command](const std::string& name, auto set,
                              const std::string& help) {
    return command->add_option_function<std::string>(name, set, help);
  };
  const auto number = [command](const std::string& name, auto set,
                                const std::string& help) {
    command->add_option_function<int64_t>(name, set, help);
  };
  text(
      "--account", [&](const std::string& v) { request.set_account_id(v); },
      "The account's ID")
      ->required();
  text(
      "--name", [&](const std::string& v) { request.set_name(v); },
      "The license's name, unique in the account")
      ->required();
  command
      ->add_option("--model", options->model,
                   "classic (default), trial or subscription")
      ->check(CLI::IsMember({"classic", "trial", "subscription"}));
  command->add_option("--starts-at", options->starts_at,
                      "RFC 3339 (default: now)");
  command->add_option("--ends-at", options->ends_at,
                      "RFC 3339 (default: without end)");
  command->add_option("--host-units", options->host_units,
                      "Host units at the same time, for instance 10.5");
  number(
      "--rum-sessions",
      [&](int64_t v) { request.mutable_limits()->set_rum_sessions(v); },
      "RUM sessions in a quota period");
  number(
      "--synthetic-executions",
      [&](int64_t v) { request.mutable_limits()->set_synthetic_executions(v); },
      "Executions of synthetic monitors in a quota period");
  command->add_option_function<int32_t>(
      "--clusters",
      [&](int32_t v) { request.mutable_limits()->set_clusters(v); },
      "Clusters that may be registered");
  command
      ->add_option("--overage", options->overage,
                   "allowed or not_allowed (default)")
      ->check(CLI::IsMember({"allowed", "not_allowed"}));
  command
      ->add_option("--reset", options->reset,
                   "Quota period: monthly (default) or annual")
      ->check(CLI::IsMember({"monthly", "annual"}));
  command->add_option("--meter", options->meters,
                      "ID:UNIT[:LIMIT[:allowed]], can be repeated");
  command->add_option("--entitlement", options->entitlements,
                      "NAME=true|false|NUMBER, can be repeated");
  command->add_option("--grace-period", options->grace_period,
                      "Without contact, for instance 14d (default: the "
                      "model's)");
  command
      ->add_option_function<std::string>(
          "--enrollment-policy",
          [&](const std::string& v) {
            request.set_enrollment_policy(EnrollmentPolicies().at(v));
          },
          "Who may register a cluster with the key: auto (anybody, default), "
          "token (with a one-time token) or approve (whom an operator "
          "approves)")
      ->check(CLI::IsMember(EnrollmentPolicies()));
  command->add_flag_function(
      "--one-agent-installation",
      [&](int64_t) { request.set_one_agent_installation(true); },
      "Install OneAgent on the cluster's nodes");
}

// show, suspend, resume and revoke: a license's ID in, the license out.
template <typename Request, typename Response>
void AddById(CLI::App& group, Context& context, const std::string& name,
             const std::string& description,
             grpc::Status (FleetStub::*method)(grpc::ClientContext*,
                                               const Request&, Response*)) {
  Client& client = *context.client;
  auto request = std::make_shared<Request>();
  CLI::App* command = AddCommand(
      group, context, name, description,
      "mcctl license " + name + " 7c9e6679-7425-40de-944b-e07fc1f90ae7",
      [&client, request, method] {
        Response response;
        absl::Status status = client.Call(method, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response,
                            [&] { return LicenseText(response.license()); });
      });
  command
      ->add_option_function<std::string>(
          "license",
          [request](const std::string& v) { request->set_license_id(v); },
          "The license's ID")
      ->required();
}

}  // namespace

void AddLicenseCommands(CLI::App& app, Context& context) {
  CLI::App* group = AddGroup(app, "license", "Licenses of the accounts");
  Client& client = *context.client;
  AddCreate(*group, context);

  auto page = std::make_shared<PageOptions>();
  auto account = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      *group, context, "list", "List the licenses",
      "mcctl license list --account ID", [&client, page, account] {
        v1::ListLicensesRequest request;
        request.set_account_id(*account);
        request.set_page_size(page->size);
        request.set_page_token(page->token);
        v1::ListLicensesResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListLicenses, request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"LICENSE", "NAME", "ACCOUNT", "STATUS", "MODEL", "ENDS",
                       "CLUSTERS", "KEY"});
          for (const v1::License& license : response.licenses()) {
            table.Add({license.license_id(), license.name(),
                       license.account_name(), EnumText(license.status()),
                       EnumText(license.model()), TimeText(license.ends_at()),
                       absl::StrCat(license.registered_clusters()),
                       license.license_key_masked()});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  command->add_option("--account", *account, "Only of this account");
  page->AddTo(*command);

  AddLicenseUpdate(*group, context);
  AddTokenCommands(*group, context);
  AddById(*group, context, "show", "Show one license", &FleetStub::GetLicense);
  AddById(*group, context, "suspend",
          "Suspend a license: installations and updates stop",
          &FleetStub::SuspendLicense);
  AddById(*group, context, "resume", "Make a suspended license valid again",
          &FleetStub::ResumeLicense);
  AddById(*group, context, "revoke", "Revoke a license, for good",
          &FleetStub::RevokeLicense);
}

}  // namespace mc::service

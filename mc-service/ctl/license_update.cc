#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/values.h"

namespace mc::service {
namespace {

constexpr char kUnlimited[] = "unlimited";

// What `license update` was given; empty: as it is.
struct UpdateOptions {
  v1::UpdateLicenseRequest request;
  std::string model, overage, reset, ends_at, grace_period, host_units;
  std::string rum_sessions, synthetic_executions, clusters;
  std::vector<std::string> meters, entitlements;

  bool ChangesLimits() const {
    return !overage.empty() || !reset.empty() || !host_units.empty() ||
           !rum_sessions.empty() || !synthetic_executions.empty() ||
           !clusters.empty() || !meters.empty();
  }
  absl::Status Complete(const v1::License& license);
  absl::Status CompleteLimits(v1::LicenseLimits& limits);
};

// Sets a limit, or takes it away.
template <typename T>
absl::Status SetLimit(const std::string& option, const std::string& text,
                      const std::function<void(T)>& set,
                      const std::function<void()>& clear) {
  if (text.empty()) return absl::OkStatus();
  if (text == kUnlimited) {
    clear();
    return absl::OkStatus();
  }
  T value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": a number or ", kUnlimited, " is expected"));
  }
  set(value);
  return absl::OkStatus();
}

absl::Status UpdateOptions::CompleteLimits(v1::LicenseLimits& limits) {
  absl::Status done = SetLimit<int64_t>(
      "--rum-sessions", rum_sessions,
      [&](int64_t v) { limits.set_rum_sessions(v); },
      [&] { limits.clear_rum_sessions(); });
  done.Update(SetLimit<int64_t>(
      "--synthetic-executions", synthetic_executions,
      [&](int64_t v) { limits.set_synthetic_executions(v); },
      [&] { limits.clear_synthetic_executions(); }));
  done.Update(SetLimit<int32_t>(
      "--clusters", clusters, [&](int32_t v) { limits.set_clusters(v); },
      [&] { limits.clear_clusters(); }));
  if (!done.ok()) return done;
  if (host_units == kUnlimited) {
    limits.clear_host_units_milli();
  } else if (!host_units.empty()) {
    const auto milli = MilliValue("--host-units", host_units);
    if (!milli.ok()) return milli.status();
    limits.set_host_units_milli(*milli);
  }
  if (!overage.empty()) {
    limits.set_overage(overage == "allowed" ? v1::OVERAGE_RULE_ALLOWED
                                            : v1::OVERAGE_RULE_NOT_ALLOWED);
  }
  if (!reset.empty()) {
    limits.set_reset(reset == "annual" ? v1::QUOTA_RESET_ANNUAL
                                       : v1::QUOTA_RESET_MONTHLY);
  }
  for (const std::string& text : meters) {
    const auto meter = MeterValue(text);
    if (!meter.ok()) return meter.status();
    auto& known = *limits.mutable_meters();
    const auto same =
        std::find_if(known.begin(), known.end(), [&](const auto& other) {
          return other.meter_id() == meter->meter_id();
        });
    *(same == known.end() ? known.Add() : &*same) = *meter;
  }
  return absl::OkStatus();
}

absl::Status UpdateOptions::Complete(const v1::License& license) {
  if (!model.empty()) {
    request.set_model(model == "classic" ? v1::LICENSE_MODEL_CLASSIC
                      : model == "trial" ? v1::LICENSE_MODEL_TRIAL
                                         : v1::LICENSE_MODEL_SUBSCRIPTION);
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
  if (!entitlements.empty()) {
    request.set_replace_entitlements(true);
    *request.mutable_entitlements() = license.entitlements();
    for (const std::string& text : entitlements) {
      const auto entitlement = EntitlementValue(text);
      if (!entitlement.ok()) return entitlement.status();
      auto& known = *request.mutable_entitlements();
      const auto same =
          std::find_if(known.begin(), known.end(), [&](const auto& other) {
            return other.name() == entitlement->name();
          });
      *(same == known.end() ? known.Add() : &*same) = *entitlement;
    }
  }
  if (!ChangesLimits()) return absl::OkStatus();
  *request.mutable_limits() = license.limits();
  return CompleteLimits(*request.mutable_limits());
}

}  // namespace

void AddLicenseUpdate(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto options = std::make_shared<UpdateOptions>();
  CLI::App* command = AddCommand(
      group, context, "update",
      "Change a license from now on; what is not given stays as it is",
      "mcctl license update ID --rum-sessions 200000 --host-units unlimited",
      [&client, options] {
        v1::GetLicenseRequest get;
        get.set_license_id(options->request.license_id());
        v1::GetLicenseResponse now;
        absl::Status status = client.Call(&FleetStub::GetLicense, get, &now);
        if (status.ok()) status = options->Complete(now.license());
        if (!status.ok()) return status;
        v1::UpdateLicenseResponse response;
        status =
            client.Call(&FleetStub::UpdateLicense, options->request, &response);
        if (!status.ok()) return status;
        return client.Print(response,
                            [&] { return LicenseText(response.license()); });
      });
  command
      ->add_option_function<std::string>(
          "license",
          [options](const std::string& v) {
            options->request.set_license_id(v);
          },
          "The license's ID")
      ->required();
  command
      ->add_option("--model", options->model, "classic, trial or subscription")
      ->check(CLI::IsMember({"classic", "trial", "subscription"}));
  CLI::Option* ends = command->add_option("--ends-at", options->ends_at,
                                          "End, for instance "
                                          "2027-01-01T00:00:00Z");
  command
      ->add_flag_function(
          "--no-end", [options](int64_t) { options->request.set_no_end(true); },
          "Without end")
      ->excludes(ends);
  command->add_option("--host-units", options->host_units,
                      "Host units at the same time, or unlimited");
  command->add_option("--rum-sessions", options->rum_sessions,
                      "RUM sessions in a quota period, or unlimited");
  command->add_option("--synthetic-executions", options->synthetic_executions,
                      "Executions of synthetic monitors in a quota period, or "
                      "unlimited");
  command->add_option("--clusters", options->clusters,
                      "Clusters that may be registered, or unlimited");
  command->add_option("--overage", options->overage, "allowed or not_allowed")
      ->check(CLI::IsMember({"allowed", "not_allowed"}));
  command
      ->add_option("--reset", options->reset,
                   "Quota period: monthly or annual; the one that runs ends "
                   "now")
      ->check(CLI::IsMember({"monthly", "annual"}));
  command
      ->add_option_function<std::string>(
          "--enrollment-policy",
          [options](const std::string& v) {
            options->request.set_enrollment_policy(EnrollmentPolicies().at(v));
          },
          "auto, token or approve; what is registered stays registered")
      ->check(CLI::IsMember(EnrollmentPolicies()));
  command->add_option("--meter", options->meters,
                      "ID:UNIT[:LIMIT[:allowed]], can be repeated");
  command->add_option("--entitlement", options->entitlements,
                      "NAME=true|false|NUMBER, can be repeated; "
                      "overage.rum_sessions=NUMBER and the like limit overage");
  command->add_option("--grace-period", options->grace_period,
                      "Without contact, for instance 14d");
}

}  // namespace mc::service

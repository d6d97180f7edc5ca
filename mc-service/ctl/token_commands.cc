#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/values.h"

namespace mc::service {
namespace {

constexpr char kId[] = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

void AddCreate(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::CreateEnrollmentTokenRequest>();
  auto lifetime = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      group, context, "create",
      "Make a token that lets one cluster register; it is shown this once",
      absl::StrCat("mcctl license token create ", kId, " --lifetime 7d"),
      [&client, request, lifetime]() -> absl::Status {
        if (!lifetime->empty()) {
          const auto duration = DurationValue("--lifetime", *lifetime);
          if (!duration.ok()) return duration.status();
          *request->mutable_lifetime() = *duration;
        }
        v1::CreateEnrollmentTokenResponse response;
        absl::Status status =
            client.Call(&FleetStub::CreateEnrollmentToken, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          const v1::EnrollmentToken& token = response.enrollment_token();
          return absl::StrCat(
              Properties({{"Token ID", token.token_id()},
                          {"License", token.license_id()},
                          {"Expires", TimeText(token.expires_at())}}),
              "\nEnrollment token (it is not shown again): ", response.token(),
              "\n");
        });
      });
  command
      ->add_option_function<std::string>(
          "license",
          [request](const std::string& v) { request->set_license_id(v); },
          "The license's ID")
      ->required();
  command->add_option("--lifetime", *lifetime,
                      "How long it is good, at most 90d (default: 24h)");
}

void AddList(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto license = std::make_shared<std::string>();
  auto page = std::make_shared<PageOptions>();
  CLI::App* command = AddCommand(
      group, context, "list", "List a license's tokens, the newest first",
      absl::StrCat("mcctl license token list ", kId), [&client, license, page] {
        v1::ListEnrollmentTokensRequest request;
        request.set_license_id(*license);
        request.set_page_size(page->size);
        request.set_page_token(page->token);
        v1::ListEnrollmentTokensResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListEnrollmentTokens, request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"TOKEN ID", "CREATED", "EXPIRES", "USED", "CLUSTER"});
          for (const v1::EnrollmentToken& token :
               response.enrollment_tokens()) {
            table.Add({token.token_id(), TimeText(token.created_at()),
                       TimeText(token.expires_at()), TimeText(token.used_at()),
                       token.cluster_id()});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  command->add_option("license", *license, "The license's ID")->required();
  page->AddTo(*command);
}

void AddDelete(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::DeleteEnrollmentTokenRequest>();
  CLI::App* command = AddCommand(
      group, context, "delete", "Make a token good no more",
      absl::StrCat("mcctl license token delete ", kId), [&client, request] {
        v1::DeleteEnrollmentTokenResponse response;
        absl::Status status =
            client.Call(&FleetStub::DeleteEnrollmentToken, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          return absl::StrCat("Deleted ", request->token_id(), "\n");
        });
      });
  command
      ->add_option_function<std::string>(
          "token",
          [request](const std::string& v) { request->set_token_id(v); },
          "The token's ID, as `license token list` shows it")
      ->required();
}

}  // namespace

const std::map<std::string, v1::EnrollmentPolicy>& EnrollmentPolicies() {
  static const auto& policies =
      *new std::map<std::string, v1::EnrollmentPolicy>{
          {"auto", v1::ENROLLMENT_POLICY_AUTO},
          {"token", v1::ENROLLMENT_POLICY_TOKEN},
          {"approve", v1::ENROLLMENT_POLICY_APPROVE}};
  return policies;
}

void AddTokenCommands(CLI::App& group, Context& context) {
  CLI::App* tokens =
      AddGroup(group, "token", "One-time tokens that let a cluster register");
  tokens->footer(absl::StrCat("Example:\n  mcctl license token create ", kId));
  AddCreate(*tokens, context);
  AddList(*tokens, context);
  AddDelete(*tokens, context);
}

}  // namespace mc::service

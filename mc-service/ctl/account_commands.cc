#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "mc-service/ctl/commands.h"

namespace mc::service {
namespace {

constexpr absl::Duration kEraseTimeout = absl::Hours(1);

std::string TextOf(const v1::Account& account) {
  return Properties({{"Account", account.account_id()},
                     {"Name", account.name()},
                     {"Created", TimeText(account.created_at())}});
}

}  // namespace

void AddAccountCommands(CLI::App& app, Context& context) {
  CLI::App* group = AddGroup(app, "account", "Customers");
  Client& client = *context.client;

  auto create = std::make_shared<v1::CreateAccountRequest>();
  CLI::App* command = AddCommand(
      *group, context, "create", "Create an account",
      "mcctl account create --name 'Example Inc.'", [&client, create] {
        v1::CreateAccountResponse response;
        absl::Status status =
            client.Call(&FleetStub::CreateAccount, *create, &response);
        if (!status.ok()) return status;
        return client.Print(response,
                            [&] { return TextOf(response.account()); });
      });
  command
      ->add_option_function<std::string>(
          "--name", [create](const std::string& v) { create->set_name(v); },
          "The customer's name, unique")
      ->required();

  auto page = std::make_shared<PageOptions>();
  command =
      AddCommand(*group, context, "list", "List the accounts",
                 "mcctl account list --page-size 100", [&client, page] {
                   v1::ListAccountsRequest request;
                   request.set_page_size(page->size);
                   request.set_page_token(page->token);
                   v1::ListAccountsResponse response;
                   absl::Status status = client.Call(&FleetStub::ListAccounts,
                                                     request, &response);
                   if (!status.ok()) return status;
                   return client.Print(response, [&] {
                     Table table({"ACCOUNT", "NAME", "CREATED"});
                     for (const v1::Account& account : response.accounts()) {
                       table.Add({account.account_id(), account.name(),
                                  TimeText(account.created_at())});
                     }
                     HintNextPage(response.next_page_token());
                     return table.Text();
                   });
                 });
  page->AddTo(*command);

  auto get = std::make_shared<v1::GetAccountRequest>();
  command =
      AddCommand(*group, context, "show", "Show one account",
                 "mcctl account show 7c9e6679-7425-40de-944b-e07fc1f90ae7",
                 [&client, get] {
                   v1::GetAccountResponse response;
                   absl::Status status =
                       client.Call(&FleetStub::GetAccount, *get, &response);
                   if (!status.ok()) return status;
                   return client.Print(
                       response, [&] { return TextOf(response.account()); });
                 });
  command
      ->add_option_function<std::string>(
          "account", [get](const std::string& v) { get->set_account_id(v); },
          "The account's ID")
      ->required();

  auto erase = std::make_shared<v1::EraseAccountRequest>();
  command = AddCommand(
      *group, context, "erase",
      "Erase an account with all its data, for good; revoke its licenses "
      "first. It may take minutes",
      "mcctl account erase 7c9e6679-7425-40de-944b-e07fc1f90ae7 --confirm "
      "'Example Inc.'",
      [&client, erase] {
        client.options().timeout =
            std::max(client.options().timeout, kEraseTimeout);
        v1::EraseAccountResponse response;
        absl::Status status =
            client.Call(&FleetStub::EraseAccount, *erase, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          return Properties(
              {{"Licenses", absl::StrCat(response.licenses())},
               {"Clusters", absl::StrCat(response.clusters())},
               {"Reports", absl::StrCat(response.reports())},
               {"Ledger entries", absl::StrCat(response.ledger_entries())}});
        });
      });
  command
      ->add_option_function<std::string>(
          "account",
          [erase](const std::string& v) { erase->set_account_id(v); },
          "The account's ID")
      ->required();
  command
      ->add_option_function<std::string>(
          "--confirm",
          [erase](const std::string& v) { erase->set_confirm_name(v); },
          "The account's name, so that the wrong one is not erased")
      ->required();
}

}  // namespace mc::service

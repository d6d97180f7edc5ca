#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/tls/identity.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/operator_access.h"

namespace mc::service {
namespace {

const std::map<std::string, v1::OperatorRole>& Roles() {
  static const auto& roles = *new std::map<std::string, v1::OperatorRole>{
      {"viewer", v1::OPERATOR_ROLE_VIEWER},
      {"operator", v1::OPERATOR_ROLE_OPERATOR},
      {"admin", v1::OPERATOR_ROLE_ADMIN}};
  return roles;
}

std::string TextOf(const v1::Operator& op, const std::string& config_file) {
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Operator", op.name()},
      {"Role", EnumText(op.role())},
      {"Created", TimeText(op.created_at())},
      {"Certificate until", TimeText(op.certificate_not_after())}};
  if (!config_file.empty()) lines.emplace_back("Configuration", config_file);
  return Properties(lines);
}

template <typename Request>
void AddName(CLI::App& command, std::shared_ptr<Request> request) {
  command
      .add_option_function<std::string>(
          "name", [request](const std::string& v) { request->set_name(v); },
          "The operator's name: a-z, 0-9, '.', '_' and '-'")
      ->required();
}

template <typename Request>
void AddRole(CLI::App& command, std::shared_ptr<Request> request) {
  command
      .add_option_function<std::string>(
          "--role",
          [request](const std::string& v) { request->set_role(Roles().at(v)); },
          "viewer (reads), operator (changes) or admin")
      ->required()
      ->check(CLI::IsMember(Roles()));
}

// Has another operator certified by `method`, and its access put into a folder.
template <typename Request, typename Response>
absl::Status MakeAccess(Client& client,
                        grpc::Status (FleetStub::*method)(grpc::ClientContext*,
                                                          const Request&,
                                                          Response*),
                        Request& request, const std::string& folder) {
  const auto own = client.Config();
  if (!own.ok()) return own.status();
  auto access = NewAccess::Begin(folder, request.name());
  if (!access.ok()) return access.status();
  request.set_certificate_signing_request(access->Request());
  Response response;
  absl::Status status = client.Call(method, request, &response);
  if (!status.ok()) return status;
  const auto chain = ChainPem(response.certificate(), response.ca_chain());
  if (!chain.ok()) return chain.status();
  status = access->Finish(**own, *chain);
  if (!status.ok()) return status;
  return client.Print(response, [&] {
    return TextOf(response.operator_(), access->ConfigFile());
  });
}

// `file` as a configuration in `directory` names it.
std::string Relative(const std::string& directory, const std::string& file) {
  const std::string prefix = directory + "/";
  return absl::StartsWith(file, prefix) ? file.substr(prefix.size()) : file;
}

// Replaces the caller's own key and certificate. The new ones have files of
// their own until a call with them has succeeded; then one write of the
// configuration puts them in force. Whatever is cut off, one pair works.
absl::Status RenewOwn(Client& client) {
  const std::string& config_file = client.options().config_file;
  const auto own = client.Config();
  if (!own.ok()) return own.status();
  const auto text = ReadFile(config_file);
  if (!text.ok()) return text.status();
  const auto old_chain = ReadFile((*own)->certificate_file());
  if (!old_chain.ok()) return old_chain.status();
  const auto identity = IdentityOfCertificate(*old_chain);
  if (!identity.ok()) return identity.status();
  // Before anything is asked for, that the configuration can be changed.
  if (const auto usable = WithPair(*text, "", ""); !usable.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(config_file, ": ", usable.status().message()));
  }

  const PrivateKey key = PrivateKey::GenerateP256();
  v1::IssueOperatorCertificateRequest request;
  request.set_certificate_signing_request(BuildCsrDer(key));
  v1::IssueOperatorCertificateResponse response;
  absl::Status status =
      client.Call(&FleetStub::IssueOperatorCertificate, request, &response);
  if (!status.ok()) return status;
  const auto chain = ChainPem(response.certificate(), response.ca_chain());
  if (!chain.ok()) return chain.status();
  const auto issued = ParseCertificateDer(response.certificate());
  if (!issued.ok()) return issued.status();

  const std::string stem =
      absl::StrCat(DirectoryOf((*own)->key_file()), "/", identity->id, "-",
                   issued->serial_hex.substr(0, 8));
  const std::string key_file = stem + ".key";
  const std::string certificate_file = stem + ".crt";
  const std::string draft = config_file + ".renewed";
  const std::string directory = DirectoryOf(config_file);
  const auto changed = WithPair(*text, Relative(directory, certificate_file),
                                Relative(directory, key_file));
  status = changed.status();
  if (status.ok()) status = AtomicWrite(key_file, key.ToPem(), 0600);
  if (status.ok()) status = AtomicWrite(certificate_file, *chain, 0600);
  if (status.ok()) status = AtomicWrite(draft, *changed, 0600);
  if (status.ok()) {
    Client::Options options = client.options();
    options.config_file = draft;
    Client renewed(options);
    v1::ListOperatorsRequest probe;
    probe.set_page_size(1);
    v1::ListOperatorsResponse ignored;
    status = renewed.Call(&FleetStub::ListOperators, probe, &ignored);
  }
  if (status.ok()) status = AtomicWrite(config_file, *changed, 0600);
  ::unlink(draft.c_str());
  if (!status.ok()) {
    ::unlink(key_file.c_str());
    ::unlink(certificate_file.c_str());
    return status;
  }
  ::unlink((*own)->key_file().c_str());
  ::unlink((*own)->certificate_file().c_str());
  return client.Print(
      response, [&] { return TextOf(response.operator_(), config_file); });
}

void AddCreate(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::CreateOperatorRequest>();
  auto folder = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      group, context, "create",
      "Create an operator; the key is made here, and key, certificate and a "
      "ready mcctl.yaml are put into a folder",
      "mcctl operator create anna --role operator --out anna\n"
      "  mcctl --config anna/mcctl.yaml account list",
      [&client, request, folder] {
        return MakeAccess(client, &FleetStub::CreateOperator, *request,
                          *folder);
      });
  AddName(*command, request);
  AddRole(*command, request);
  command
      ->add_option("--out", *folder,
                   "The folder; made where it is missing, for its owner only")
      ->required();
}

void AddList(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto page = std::make_shared<PageOptions>();
  CLI::App* command = AddCommand(
      group, context, "list", "List the operators, by name",
      "mcctl operator list", [&client, page] {
        v1::ListOperatorsRequest request;
        request.set_page_size(page->size);
        request.set_page_token(page->token);
        v1::ListOperatorsResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListOperators, request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"OPERATOR", "ROLE", "CREATED", "CERTIFICATE UNTIL"});
          for (const v1::Operator& op : response.operators()) {
            table.Add({op.name(), EnumText(op.role()),
                       TimeText(op.created_at()),
                       TimeText(op.certificate_not_after())});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  page->AddTo(*command);
}

void AddUpdate(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::UpdateOperatorRequest>();
  CLI::App* command = AddCommand(
      group, context, "update",
      "Change an operator's role, also for calls under way",
      "mcctl operator update anna --role viewer", [&client, request] {
        v1::UpdateOperatorResponse response;
        absl::Status status =
            client.Call(&FleetStub::UpdateOperator, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response,
                            [&] { return TextOf(response.operator_(), ""); });
      });
  AddName(*command, request);
  AddRole(*command, request);
}

void AddDelete(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::DeleteOperatorRequest>();
  CLI::App* command = AddCommand(
      group, context, "delete",
      "Delete an operator, for good: its certificates are good no more, and "
      "its name is not used again",
      "mcctl operator delete anna", [&client, request] {
        v1::DeleteOperatorResponse response;
        absl::Status status =
            client.Call(&FleetStub::DeleteOperator, *request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          return absl::StrCat("Deleted ", request->name(), "\n");
        });
      });
  AddName(*command, request);
}

void AddRenew(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto request = std::make_shared<v1::IssueOperatorCertificateRequest>();
  auto folder = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      group, context, "renew",
      "Replace your own key and certificate, with new files that the "
      "configuration then names; or, as an admin, make those of another "
      "operator anew, in a folder. Older certificates stay good until they "
      "expire",
      "mcctl operator renew\n"
      "  mcctl operator renew anna --out anna-2",
      [&client, request, folder]() -> absl::Status {
        if (request->name().empty()) return RenewOwn(client);
        return MakeAccess(client, &FleetStub::IssueOperatorCertificate,
                          *request, *folder);
      });
  CLI::Option* name = command->add_option_function<std::string>(
      "name", [request](const std::string& v) { request->set_name(v); },
      "Another operator's name (default: you)");
  CLI::Option* out = command->add_option(
      "--out", *folder, "The folder for another operator's access");
  name->needs(out);
  out->needs(name);
}

}  // namespace

void AddOperatorCommands(CLI::App& app, Context& context) {
  CLI::App* group =
      AddGroup(app, "operator", "Those who may operate the service");
  AddCreate(*group, context);
  AddList(*group, context);
  AddUpdate(*group, context);
  AddDelete(*group, context);
  AddRenew(*group, context);
}

}  // namespace mc::service

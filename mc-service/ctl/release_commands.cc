#include <fstream>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cli/output.h"
#include "common/cli/table.h"
#include "common/crypto/digest.h"
#include "mc-service/ctl/commands.h"
#include "mc-service/ctl/values.h"

namespace mc::service {
namespace {

const std::map<std::string, v1::Component>& Components() {
  static const auto& components = *new std::map<std::string, v1::Component>{
      {"cluster", v1::COMPONENT_CLUSTER},
      {"one_agent", v1::COMPONENT_ONE_AGENT},
      {"javascript_tag", v1::COMPONENT_JAVASCRIPT_TAG},
      {"active_gate", v1::COMPONENT_ACTIVE_GATE}};
  return components;
}

std::string TextOf(const v1::Release& release) {
  const v1::ReleaseDocument& document = release.release();
  std::vector<std::pair<std::string, std::string>> lines = {
      {"Release", release.release_id()},
      {"Component", EnumText(document.component())},
      {"Label", document.label()},
      {"Version", document.version()},
      {"Description", document.description()},
      {"Minimum required", document.minimum_required_version()},
      {"Announced", TimeText(document.announced_at())},
      {"Not before", TimeText(document.not_before())},
      {"Install by", TimeText(document.install_by())},
      {"Signed by", release.signed_release().key_id()},
  };
  for (const v1::Artifact& artifact : document.artifacts()) {
    lines.emplace_back("Artifact", artifact.download_url());
    lines.emplace_back("  Bytes", absl::StrCat(artifact.size_bytes()));
    lines.emplace_back("  SHA-256", Hex(artifact.sha256()));
  }
  return Properties(lines);
}

// Size and digest of a file of any size.
absl::Status Measure(const std::string& path, v1::Artifact& artifact) {
  std::ifstream file(path, std::ios::binary);
  Sha256Stream digest;
  int64_t size = 0;
  std::vector<char> buffer(1 << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    digest.Update({buffer.data(), static_cast<size_t>(file.gcount())});
    size += file.gcount();
  }
  if (!file.eof()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  }
  artifact.set_size_bytes(size);
  artifact.set_sha256(digest.Finish());
  return absl::OkStatus();
}

// What `release add` was given, before it is a request.
struct AddOptions {
  v1::CreateReleaseRequest request;
  std::string component, file, url, sha256, announced_at, not_before,
      install_by;
  int64_t size = 0;

  absl::Status Complete();
};

absl::Status AddOptions::Complete() {
  request.set_component(Components().at(component));
  v1::Artifact& artifact = *request.add_artifacts();
  artifact.set_download_url(url);
  if (!file.empty()) {
    if (absl::Status status = Measure(file, artifact); !status.ok()) {
      return status;
    }
  } else {
    const auto digest = FromHex(sha256);
    if (!digest.ok() || digest->size() != kSha256Size || size <= 0) {
      return absl::InvalidArgumentError(
          "give --file, or --size and --sha256 (64 hexadecimal digits)");
    }
    artifact.set_size_bytes(size);
    artifact.set_sha256(*digest);
  }
  if (!announced_at.empty()) {
    const auto time = TimeValue("--announced-at", announced_at);
    if (!time.ok()) return time.status();
    *request.mutable_announced_at() = *time;
  }
  if (!not_before.empty()) {
    const auto time = TimeValue("--not-before", not_before);
    if (!time.ok()) return time.status();
    *request.mutable_not_before() = *time;
  }
  if (!install_by.empty()) {
    const auto time = TimeValue("--install-by", install_by);
    if (!time.ok()) return time.status();
    *request.mutable_install_by() = *time;
  }
  return absl::OkStatus();
}

void AddAdd(CLI::App& group, Context& context) {
  Client& client = *context.client;
  auto options = std::make_shared<AddOptions>();
  CLI::App* command = AddCommand(
      group, context, "add", "Announce a release; the service signs it",
      "mcctl release add --component cluster --version 1.2.0 --file "
      "cluster-1.2.0.tar --url https://downloads.example.com/cluster-1.2.0.tar",
      [&client, options] {
        absl::Status status = options->Complete();
        if (!status.ok()) return status;
        v1::CreateReleaseResponse response;
        status =
            client.Call(&FleetStub::CreateRelease, options->request, &response);
        if (!status.ok()) return status;
        return client.Print(response,
                            [&] { return TextOf(response.release()); });
      });
  v1::CreateReleaseRequest& request = options->request;
  command
      ->add_option("--component", options->component,
                   "cluster, one_agent, javascript_tag or active_gate")
      ->required()
      ->check(CLI::IsMember(Components()));
  command
      ->add_option_function<std::string>(
          "--version", [&](const std::string& v) { request.set_version(v); },
          "For instance 1.2.0")
      ->required();
  command->add_option("--url", options->url, "Where clusters download it")
      ->required();
  command->add_option_function<std::string>(
      "--label", [&](const std::string& v) { request.set_label(v); },
      "The component's line, for instance stable; not for the cluster");
  command->add_option_function<std::string>(
      "--description",
      [&](const std::string& v) { request.set_description(v); }, "For people");
  command->add_option("--file", options->file,
                      "The artifact; its size and SHA-256 are computed");
  command->add_option("--size", options->size, "The artifact's bytes");
  command->add_option("--sha256", options->sha256, "The artifact's SHA-256");
  command->add_option_function<std::string>(
      "--minimum-required",
      [&](const std::string& v) { request.set_minimum_required_version(v); },
      "The least installed version");
  command->add_option("--announced-at", options->announced_at,
                      "RFC 3339 (default: now)");
  command->add_option("--not-before", options->not_before,
                      "RFC 3339 (default: 24 h after the announcement)");
  command->add_option("--install-by", options->install_by,
                      "RFC 3339 (default: no bound)");
}

}  // namespace

void AddReleaseCommands(CLI::App& app, Context& context) {
  CLI::App* group = AddGroup(app, "release", "Releases for the clusters");
  Client& client = *context.client;
  AddAdd(*group, context);

  auto page = std::make_shared<PageOptions>();
  auto component = std::make_shared<std::string>();
  CLI::App* command = AddCommand(
      *group, context, "list", "List the releases, the newest first",
      "mcctl release list --component cluster", [&client, page, component] {
        v1::ListReleasesRequest request;
        if (!component->empty()) {
          request.set_component(Components().at(*component));
        }
        request.set_page_size(page->size);
        request.set_page_token(page->token);
        v1::ListReleasesResponse response;
        absl::Status status =
            client.Call(&FleetStub::ListReleases, request, &response);
        if (!status.ok()) return status;
        return client.Print(response, [&] {
          Table table({"RELEASE", "COMPONENT", "LABEL", "VERSION", "ANNOUNCED",
                       "NOT BEFORE", "DESCRIPTION"});
          for (const v1::Release& release : response.releases()) {
            const v1::ReleaseDocument& document = release.release();
            table.Add({release.release_id(), EnumText(document.component()),
                       document.label(), document.version(),
                       TimeText(document.announced_at()),
                       TimeText(document.not_before()),
                       document.description()});
          }
          HintNextPage(response.next_page_token());
          return table.Text();
        });
      });
  command->add_option("--component", *component, "Only of this component")
      ->check(CLI::IsMember(Components()));
  page->AddTo(*command);

  auto get = std::make_shared<v1::GetReleaseRequest>();
  command =
      AddCommand(*group, context, "show", "Show one release",
                 "mcctl release show 7c9e6679-7425-40de-944b-e07fc1f90ae7",
                 [&client, get] {
                   v1::GetReleaseResponse response;
                   absl::Status status =
                       client.Call(&FleetStub::GetRelease, *get, &response);
                   if (!status.ok()) return status;
                   return client.Print(
                       response, [&] { return TextOf(response.release()); });
                 });
  command
      ->add_option_function<std::string>(
          "release", [get](const std::string& v) { get->set_release_id(v); },
          "The release's ID")
      ->required();
}

}  // namespace mc::service

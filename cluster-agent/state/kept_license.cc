#include "cluster-agent/state/kept_license.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/state/state_directory.h"
#include "cluster-agent/state/state_file.h"

namespace mc::agent {

absl::StatusOr<KeptLicense> ReadKeptLicense(const std::string& path) {
  const auto file = [&path](const char* name) {
    return absl::StrCat(path, "/", name);
  };
  const absl::Status none = absl::NotFoundError(absl::StrCat(
      path,
      " holds no license; it comes with the first connection. Name a "
      "model with --model to simulate any license"));
  KeptLicense kept;
  auto cluster_id = ReadOptional(file(state_files::kClusterId));
  if (!cluster_id.ok()) return cluster_id.status();
  if (!cluster_id->has_value()) return none;
  kept.cluster_id = std::string(absl::StripAsciiWhitespace(**cluster_id));
  using File = std::pair<const char*, google::protobuf::Message*>;
  for (const auto& [name, message] :
       {File(state_files::kRegistration, &kept.registration),
        File(state_files::kLicense, &kept.license)}) {
    const absl::StatusOr<bool> found = ReadJsonFile(file(name), message);
    if (!found.ok()) return found.status();
    if (!*found) return none;
  }
  missioncontrol::config::v1::AgentContact contact;
  const absl::StatusOr<bool> found =
      ReadJsonFile(file(state_files::kContact), &contact);
  if (!found.ok()) return found.status();
  if (*found) kept.contact = std::move(contact);
  return kept;
}

}  // namespace mc::agent

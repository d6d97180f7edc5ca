#include "cluster-agent/domain/config/node_config.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/site/join_token.h"
#include "common/crypto/digest.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

// Changing it would make every machine another node.
constexpr std::string_view kApplication = "mission-control/cluster-agent/node";
// 128 bits in hexadecimal (machine-id(5)).
constexpr size_t kMachineIdSize = 32;

}  // namespace

bool IsNode(const config::AgentConfig& values) { return values.has_node(); }

void CheckNode(const config::AgentConfig& values,
               std::vector<std::string>& problems) {
  CheckAddress("node.join_address", values.node().join_address(), problems);
  if (!values.node().master_address().empty()) {
    CheckAddress("node.master_address", values.node().master_address(),
                 problems);
  }
  const auto only_masters = [&problems](bool given, std::string_view key) {
    if (!given) return;
    problems.push_back(absl::StrCat(
        absl::string_view(key.data(), key.size()),
        " is the master's alone, for a node speaks with nobody else; leave it "
        "out, or leave node out where this is the master"));
  };
  only_masters(values.has_service(), "service");
  only_masters(!values.license_key_file().empty(), "license_key_file");
  only_masters(values.has_proxy(), "proxy");
  only_masters(values.has_site(), "site");
  only_masters(values.has_mastership(), "mastership");
}

std::string NodeIdOf(std::string_view machine_id) {
  std::string bytes =
      Sha256(std::string(kApplication).append(1, '\0').append(machine_id))
          .substr(0, 16);
  // Version 4, variant 10 (RFC 4122), as systemd marks what it derives.
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string uuid = Hex(bytes);
  for (const size_t dash : {8, 13, 18, 23}) uuid.insert(dash, 1, '-');
  return uuid;
}

absl::StatusOr<std::string> ReadMachineNodeId(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  const absl::string_view id = absl::StripAsciiWhitespace(*text);
  if (id.size() != kMachineIdSize || !FromHex({id.data(), id.size()}).ok() ||
      id.find_first_not_of('0') == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        file,
        " (node.machine_id_file) holds no machine ID, 32 hexadecimal digits; "
        "make one with systemd-machine-id-setup, or leave the key out"));
  }
  return NodeIdOf(absl::AsciiStrToLower(id));
}

absl::StatusOr<std::string> JoinTokenSource::Read() const {
  std::string token = environment;
  if (token.empty()) {
    absl::StatusOr<std::string> text = ReadPrivateFile(file);
    if (!text.ok()) return text.status();
    token = *std::move(text);
  }
  absl::StripAsciiWhitespace(&token);
  const absl::Status readable = ParseJoinToken(token).status();
  if (!readable.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(environment.empty() ? file : "MC_JOIN_TOKEN", ": ",
                     readable.message()));
  }
  return token;
}

}  // namespace mc::agent

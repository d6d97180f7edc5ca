#include "cluster-agent/domain/site/site_files.h"

#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;

constexpr char kReportsFile[] = "site-reports.json";
// A thousand nodes with reports of the largest size, as JSON.
constexpr size_t kMaxBytes = size_t{256} << 20;

absl::Status Damaged(const std::string& path, std::string_view hint) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged; ", absl::string_view(hint.data(), hint.size())));
}

absl::Status Load(const std::string& path, std::string_view hint,
                  google::protobuf::Message* out) {
  const absl::StatusOr<std::string> text = ReadPrivateFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  google::protobuf::util::JsonParseOptions json;
  json.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(*text, out, json).ok()) {
    return Damaged(path, hint);
  }
  return absl::OkStatus();
}

absl::Status Save(const std::string& path,
                  const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions json;
  json.add_whitespace = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, json).ok()) {
    return absl::InternalError(absl::StrCat("cannot write ", path, " as JSON"));
  }
  return AtomicWrite(path, text, 0600);
}

// Whether each node is there once and could have been written by an agent.
bool IsWhole(const config::SiteNodes& nodes) {
  std::set<std::string> ids;
  for (const config::SiteNode& node : nodes.nodes()) {
    if (!IsNodeId(node.node_id()) || !ids.insert(node.node_id()).second ||
        node.certificates().empty() || !FromProto(node.joined_at()).ok()) {
      return false;
    }
    for (const config::NodeCertificate& issued : node.certificates()) {
      if (issued.serial().empty() || !FromProto(issued.not_after()).ok()) {
        return false;
      }
    }
  }
  for (const config::JoinToken& token : nodes.tokens()) {
    if (token.secret_sha256().empty() || !FromProto(token.expires_at()).ok()) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<config::SiteNodes> LoadSiteNodes(const std::string& directory) {
  constexpr char kHint[] =
      "restore it from the state directory's backup. Without a backup move it "
      "away and start the agent; the nodes have to join again";
  const std::string path = absl::StrCat(directory, "/", kSiteNodesFile);
  config::SiteNodes nodes;
  const absl::Status status = Load(path, kHint, &nodes);
  if (!status.ok()) return status;
  if (!IsWhole(nodes)) return Damaged(path, kHint);
  return nodes;
}

absl::Status SaveSiteNodes(const std::string& directory,
                           const config::SiteNodes& nodes) {
  return Save(absl::StrCat(directory, "/", kSiteNodesFile), nodes);
}

absl::StatusOr<config::SiteReports> LoadSiteReports(
    const std::string& directory) {
  config::SiteReports reports;
  const absl::Status status =
      Load(absl::StrCat(directory, "/", kReportsFile),
           "it is written again when the nodes report", &reports);
  if (!status.ok()) return status;
  return reports;
}

absl::Status SaveSiteReports(const std::string& directory,
                             const config::SiteReports& reports) {
  return Save(absl::StrCat(directory, "/", kReportsFile), reports);
}

}  // namespace mc::agent

#include "cluster-agent/state/node_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster-agent/state/state_directory.h"
#include "cluster-agent/state/state_file.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

using ::missioncontrol::config::v1::AgentNode;
using ::missioncontrol::config::v1::NodeKeyPair;

absl::Status Damaged(const std::string& path, std::string_view what) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged (", absl::string_view(what.data(), what.size()),
      "); restore it from its backup, or move it away and let the node join "
      "again"));
}

absl::Status NotOurs(std::string_view what) {
  return absl::UnauthenticatedError(
      absl::StrCat("the master answered with a certificate that ",
                   absl::string_view(what.data(), what.size())));
}

// The cluster that spiffe://<cluster ID>/node/<node ID> names; empty: the
// certificate is not this node's.
std::string ClusterOf(const CertificateInfo& certificate,
                      const std::string& node_id) {
  if (certificate.uri_sans.size() != 1) return "";
  absl::string_view uri = certificate.uri_sans[0];
  if (!absl::ConsumePrefix(&uri, "spiffe://") ||
      !absl::ConsumeSuffix(&uri, absl::StrCat("/node/", node_id)) ||
      !IsUuid({uri.data(), uri.size()})) {
    return "";
  }
  return std::string(uri);
}

// Puts the certificate beside its key, and returns the cluster's ID.
absl::StatusOr<std::string> Certify(const std::string& certificate_der,
                                    const std::string& site_ca_der,
                                    const std::string& node_id, absl::Time now,
                                    NodeKeyPair& pair) {
  const absl::StatusOr<CertificateInfo> info =
      ParseCertificateDer(certificate_der);
  if (!info.ok()) return NotOurs("cannot be read");
  const absl::StatusOr<std::string> pem = CertificateDerToPem(certificate_der);
  if (!pem.ok()) return pem.status();
  if (!CheckKeyMatchesCertificate(*pem, pair.key_pem()).ok()) {
    return NotOurs("is for another key");
  }
  if (!VerifyIssuedBy(certificate_der, site_ca_der).ok()) {
    return NotOurs("is not of the site's CA");
  }
  std::string cluster_id = ClusterOf(*info, node_id);
  if (cluster_id.empty()) return NotOurs("names another node");
  pair.set_certificate_pem(*pem);
  *pair.mutable_certified_at() = mc::ToProto(now);
  return cluster_id;
}

std::string_view WhatIsWrong(const NodeKeyPair& pair) {
  if (!PrivateKey::FromPem(pair.key_pem()).ok()) return "a key that is none";
  if (pair.certificate_pem().empty()) return "";
  return CheckKeyMatchesCertificate(pair.certificate_pem(), pair.key_pem()).ok()
             ? ""
             : "a key that is not its certificate's";
}

std::string_view WhatIsWrong(const AgentNode& node) {
  if (!IsUuid(node.node_id())) return "no node ID";
  if (node.has_next() && !WhatIsWrong(node.next()).empty()) {
    return WhatIsWrong(node.next());
  }
  if (!node.has_current()) return "";
  if (!WhatIsWrong(node.current()).empty()) return WhatIsWrong(node.current());
  if (node.current().certificate_pem().empty()) return "no certificate";
  if (node.cluster_id().empty()) return "no cluster ID";
  if (!ParseCertificatePem(node.site_ca_pem()).ok()) return "no site CA";
  if (node.master_address().empty()) return "no address of the master";
  return "";
}

std::string FileIn(const std::string& directory) {
  return absl::StrCat(directory, "/", kNodeFile);
}

}  // namespace

absl::StatusOr<std::optional<AgentNode>> ReadNodeState(
    const std::string& path) {
  const std::string file = FileIn(path);
  AgentNode node;
  const absl::StatusOr<bool> found = ReadJsonFile(file, &node);
  if (absl::IsDataLoss(found.status())) {
    return Damaged(file, "it is not the JSON that the agent wrote");
  }
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  const std::string_view wrong = WhatIsWrong(node);
  if (!wrong.empty()) return Damaged(file, wrong);
  return node;
}

absl::StatusOr<NodeState> NodeState::Open(const std::string& path,
                                          const std::string& derived_id) {
  const absl::Status is_private = EnsurePrivateDirectory(path);
  if (!is_private.ok()) return is_private;
  absl::StatusOr<DirectoryLock> lock = DirectoryLock::Acquire(path);
  if (!lock.ok()) return lock.status();
  RemoveDrafts(path);
  if (FileExists(absl::StrCat(path, "/", state_files::kClusterId))) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " is the state of a cluster, whose agent is started with "
        "cluster-agent run; name another state_directory for this node"));
  }
  absl::StatusOr<std::optional<AgentNode>> kept = ReadNodeState(path);
  if (!kept.ok()) return kept.status();
  NodeState state(path, *std::move(lock));
  if (kept->has_value() &&
      (derived_id.empty() || (*kept)->node_id() == derived_id)) {
    state.values_ = **std::move(kept);
    return state;
  }
  AgentNode fresh;
  fresh.set_node_id(derived_id.empty() ? RandomUuid() : derived_id);
  const absl::Status saved = state.Save(std::move(fresh));
  if (!saved.ok()) return saved;
  return state;
}

absl::Status NodeState::Save(AgentNode values) {
  const std::string file = FileIn(path_);
  const absl::StatusOr<std::string> text = JsonOf(file, values);
  if (!text.ok()) return text.status();
  const absl::Status written = AtomicWrite(file, *text, 0600);
  if (written.ok()) values_ = std::move(values);
  return written;
}

absl::StatusOr<NodeKeyPair> NodeState::DrawNext() {
  if (values_.has_next() && values_.next().certificate_pem().empty()) {
    return values_.next();
  }
  const PrivateKey key = PrivateKey::GenerateP256();
  AgentNode values = values_;
  values.mutable_next()->Clear();
  values.mutable_next()->set_key_pem(key.ToPem());
  values.mutable_next()->set_request_der(BuildCsrDer(key));
  const absl::Status saved = Save(std::move(values));
  if (!saved.ok()) return saved;
  return values_.next();
}

absl::Status NodeState::Join(const JoinedSite& site, absl::Time now) {
  NodeKeyPair pair = values_.next();
  const absl::StatusOr<std::string> cluster_id = Certify(
      site.certificate_der, site.site_ca_der, values_.node_id(), now, pair);
  if (!cluster_id.ok()) return cluster_id.status();
  const absl::StatusOr<std::string> ca = CertificateDerToPem(site.site_ca_der);
  if (!ca.ok()) return ca.status();
  AgentNode values;
  values.set_node_id(values_.node_id());
  values.set_cluster_id(*cluster_id);
  values.set_site_ca_pem(*ca);
  values.set_master_address(site.master_address);
  *values.mutable_joined_at() = mc::ToProto(now);
  *values.mutable_current() = std::move(pair);
  return Save(std::move(values));
}

absl::Status NodeState::KeepNext(const std::string& certificate_der,
                                 absl::Time now) {
  const absl::StatusOr<std::string> ca =
      CertificatePemToDer(values_.site_ca_pem());
  if (!ca.ok()) return ca.status();
  AgentNode values = values_;
  const absl::StatusOr<std::string> cluster_id = Certify(
      certificate_der, *ca, values.node_id(), now, *values.mutable_next());
  if (!cluster_id.ok()) return cluster_id.status();
  if (*cluster_id != values.cluster_id()) return NotOurs("is another site's");
  return Save(std::move(values));
}

absl::Status NodeState::AdoptNext() {
  if (values_.next().certificate_pem().empty()) {
    return absl::FailedPreconditionError("no next certificate is kept");
  }
  AgentNode values = values_;
  *values.mutable_current() = values_.next();
  values.clear_next();
  return Save(std::move(values));
}

absl::Status NodeState::DropNext() {
  AgentNode values = values_;
  values.clear_next();
  return Save(std::move(values));
}

}  // namespace mc::agent

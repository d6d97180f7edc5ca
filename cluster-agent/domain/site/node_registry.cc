#include "cluster-agent/domain/site/node_registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/site_files.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "common/crypto/digest.h"
#include "common/log/log.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

// The one in use, and those whose answers a node may not have seen.
constexpr int kMaxCertificates = 4;

absl::Status TokenRefused() {
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_JOIN_TOKEN_REFUSED,
               "the join token is unknown, used up or expired; make another "
               "one with cluster-agent node token create on the master");
}

absl::Status NodeRemoved() {
  return Error(absl::StatusCode::kPermissionDenied,
               v1::ERROR_REASON_NODE_REMOVED,
               "this node was removed from the site; let it join again with a "
               "token");
}

absl::Status Full(std::string_view message) {
  return Error(absl::StatusCode::kResourceExhausted,
               v1::ERROR_REASON_OVERLOADED, message);
}

config::SiteNode* FindIn(config::SiteNodes& nodes, std::string_view node_id) {
  for (config::SiteNode& node : *nodes.mutable_nodes()) {
    if (node.node_id() == node_id) return &node;
  }
  return nullptr;
}

bool HasExpired(const config::JoinToken& token, absl::Time now) {
  const absl::StatusOr<absl::Time> end = FromProto(token.expires_at());
  return !end.ok() || now >= *end;
}

void AddCertificate(const IssuedCertificate& issued, config::SiteNode& node) {
  config::NodeCertificate& added = *node.add_certificates();
  added.set_serial(issued.serial_hex);
  *added.mutable_not_after() = ToProto(issued.not_after);
  if (node.certificates_size() > kMaxCertificates) {
    node.mutable_certificates()->DeleteSubrange(1, 1);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<NodeRegistry>> NodeRegistry::Open(
    Options options) {
  std::unique_ptr<NodeRegistry> registry(new NodeRegistry(std::move(options)));
  const absl::Status status = registry->Load();
  if (!status.ok()) return status;
  return registry;
}

absl::Status NodeRegistry::Load() {
  absl::StatusOr<SiteNodes> nodes = LoadSiteNodes(options_.state_directory);
  if (!nodes.ok()) return nodes.status();
  absl::StatusOr<config::SiteReports> reports =
      LoadSiteReports(options_.state_directory);
  if (!reports.ok()) {
    // They come again by themselves.
    LogWarning("the nodes' last reports are lost",
               {{"detail", std::string(reports.status().message())}});
    reports = config::SiteReports();
  }
  absl::MutexLock lock(&mutex_);
  nodes_ = *std::move(nodes);
  const absl::Duration now = options_.clock->SinceBoot();
  for (const SiteNode& node : nodes_.nodes()) {
    facts_[node.node_id()].heard = now;
  }
  for (config::SiteReport& report : *reports->mutable_reports()) {
    const auto facts = facts_.find(report.node_id());
    if (facts == facts_.end()) continue;
    const absl::StatusOr<absl::Time> at = FromProto(report.received_at());
    if (at.ok()) facts->second.received_at = *at;
    facts->second.report = std::move(*report.mutable_report());
  }
  return absl::OkStatus();
}

void NodeRegistry::SetOnRemoved(std::function<void(const std::string&)> run) {
  absl::MutexLock lock(&mutex_);
  on_removed_ = std::move(run);
}

absl::Status NodeRegistry::Change(
    const std::function<absl::Status(SiteNodes&)>& change) {
  absl::MutexLock write(&write_mutex_);
  SiteNodes next;
  {
    absl::MutexLock lock(&mutex_);
    next = nodes_;
  }
  const absl::Time now = options_.clock->Now();
  auto& tokens = *next.mutable_tokens();
  tokens.erase(std::remove_if(tokens.begin(), tokens.end(),
                              [now](const config::JoinToken& token) {
                                return HasExpired(token, now);
                              }),
               tokens.end());
  absl::Status status = change(next);
  if (!status.ok()) return status;
  status = SaveSiteNodes(options_.state_directory, next);
  if (!status.ok()) {
    LogError("the site's nodes cannot be kept",
             {{"detail", std::string(status.message())}});
    return Error(absl::StatusCode::kUnavailable,
                 v1::ERROR_REASON_STORE_UNAVAILABLE,
                 "the master cannot write its state; look into its log");
  }
  absl::MutexLock lock(&mutex_);
  nodes_ = std::move(next);
  return absl::OkStatus();
}

absl::StatusOr<CreatedToken> NodeRegistry::CreateToken(absl::Duration lifetime,
                                                       int uses) {
  if (lifetime == absl::ZeroDuration()) lifetime = kDefaultTokenLifetime;
  if (lifetime < absl::Seconds(1) || lifetime > kMaxTokenLifetime) {
    return InvalidField("lifetime", "must be from a second to 30 days");
  }
  if (uses == 0) uses = 1;
  if (uses < 0 || uses > kMaxTokenUses) {
    return InvalidField("uses", "must be from 1 to 10000");
  }
  const mc::agent::JoinToken token = NewJoinToken(options_.authority->ca_der());
  const absl::Time expires_at = options_.clock->Now() + lifetime;
  const absl::Status status = Change([&](SiteNodes& nodes) {
    if (nodes.tokens_size() >= kMaxTokens) {
      return Full("there are a thousand tokens that are still good");
    }
    config::JoinToken& added = *nodes.add_tokens();
    added.set_secret_sha256(Hex(Sha256(token.secret)));
    *added.mutable_expires_at() = ToProto(expires_at);
    added.set_remaining_uses(uses);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  LogInfo("a join token was made",
          {{"expires_at", FormatUtc(expires_at)}, {"uses", uses}});
  return CreatedToken{FormatJoinToken(token), expires_at};
}

bool NodeRegistry::IsStandingToken(const std::string& secret) const {
  if (!options_.standing_token) return false;
  const absl::StatusOr<std::string> text = options_.standing_token();
  const absl::StatusOr<mc::agent::JoinToken> token =
      text.ok() ? ParseJoinToken(*text) : text.status();
  if (!token.ok()) {
    LogWarning("nobody can join with the standing token",
               {{"detail", std::string(token.status().message())}});
    return false;
  }
  return ConstantTimeEqual(Sha256(token->secret), Sha256(secret));
}

absl::Status NodeRegistry::Claim(const std::string& secret,
                                 const std::string& node_id,
                                 const std::string& spki_sha256,
                                 SiteNodes& nodes) const {
  const std::string digest = Hex(Sha256(secret));
  config::JoinToken* token = nullptr;
  for (config::JoinToken& candidate : *nodes.mutable_tokens()) {
    if (ConstantTimeEqual(candidate.secret_sha256(), digest)) {
      token = &candidate;
    }
  }
  if (token == nullptr) {
    return IsStandingToken(secret) ? absl::OkStatus() : TokenRefused();
  }
  for (const config::JoinTokenUse& use : token->uses()) {
    if (use.node_id() == node_id && use.spki_sha256() == spki_sha256) {
      return absl::OkStatus();
    }
  }
  if (token->remaining_uses() < 1) return TokenRefused();
  token->set_remaining_uses(token->remaining_uses() - 1);
  config::JoinTokenUse& use = *token->add_uses();
  use.set_node_id(node_id);
  use.set_spki_sha256(spki_sha256);
  return absl::OkStatus();
}

void NodeRegistry::Tell(v1::ClusterEventType type,
                        std::string_view node_id) const {
  if (options_.events == nullptr) return;
  v1::ClusterEvent event;
  event.set_type(type);
  event.set_node_id(std::string(node_id));
  options_.events->Raise(std::move(event));
}

absl::StatusOr<IssuedCertificate> NodeRegistry::Join(
    const v1::JoinRequest& request) {
  const std::string& node_id = request.node_id();
  if (!IsNodeId(node_id)) {
    return InvalidField("node_id", "must be a UUID in lower case");
  }
  if (node_id == options_.master_node_id) {
    return InvalidField("node_id", "is the master's own");
  }
  const absl::StatusOr<mc::agent::JoinToken> token =
      ParseJoinToken(request.token());
  if (!token.ok()) return TokenRefused();
  const absl::StatusOr<CsrInfo> csr =
      ParseCsrDer(request.certificate_signing_request());
  if (!csr.ok()) return csr.status();
  IssuedCertificate issued;
  bool again = false;
  const absl::Status status = Change([&](SiteNodes& nodes) -> absl::Status {
    absl::Status claimed =
        Claim(token->secret, node_id, Hex(Sha256(csr->spki_der)), nodes);
    if (!claimed.ok()) return claimed;
    SiteNode* node = FindIn(nodes, node_id);
    again = node != nullptr;
    if (!again) {
      if (nodes.nodes_size() >= kMaxNodes) {
        return Full(
            "the site has a thousand nodes; remove those that are "
            "gone with cluster-agent node remove");
      }
      node = nodes.add_nodes();
      node->set_node_id(node_id);
    }
    const absl::Time now = options_.clock->Now();
    absl::StatusOr<IssuedCertificate> certificate =
        options_.authority->IssueNode(node_id, *csr, now);
    if (!certificate.ok()) return certificate.status();
    issued = *std::move(certificate);
    *node->mutable_joined_at() = ToProto(now);
    node->set_agent_version(request.agent_version());
    node->clear_certificates();
    AddCertificate(issued, *node);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  {
    absl::MutexLock lock(&mutex_);
    const auto [facts, added] = facts_.try_emplace(node_id);
    if (added) facts->second.heard = options_.clock->SinceBoot();
  }
  LogInfo(again ? "a node has joined again" : "a node has joined",
          {{"node_id", node_id}, {"agent_version", request.agent_version()}});
  if (!again) Tell(v1::CLUSTER_EVENT_TYPE_NODE_ADDED, node_id);
  return issued;
}

absl::StatusOr<IssuedCertificate> NodeRegistry::Renew(
    std::string_view node_id, std::string_view csr_der) {
  const absl::StatusOr<CsrInfo> csr = ParseCsrDer(csr_der);
  if (!csr.ok()) return csr.status();
  IssuedCertificate issued;
  const absl::Status status = Change([&](SiteNodes& nodes) -> absl::Status {
    SiteNode* const node = FindIn(nodes, node_id);
    if (node == nullptr) return NodeRemoved();
    absl::StatusOr<IssuedCertificate> certificate =
        options_.authority->IssueNode(node_id, *csr, options_.clock->Now());
    if (!certificate.ok()) return certificate.status();
    issued = *std::move(certificate);
    AddCertificate(issued, *node);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  LogInfo("a node's certificate was renewed",
          {{"node_id", node_id}, {"not_after", FormatUtc(issued.not_after)}});
  return issued;
}

const config::SiteNode* NodeRegistry::Find(std::string_view node_id) const {
  for (const SiteNode& node : nodes_.nodes()) {
    if (node.node_id() == node_id) return &node;
  }
  return nullptr;
}

absl::Status NodeRegistry::Admit(std::string_view node_id,
                                 std::string_view serial) {
  {
    absl::MutexLock lock(&mutex_);
    const SiteNode* const node = Find(node_id);
    if (node == nullptr) return NodeRemoved();
    const auto& certificates = node->certificates();
    const auto used = std::find_if(certificates.begin(), certificates.end(),
                                   [&](const config::NodeCertificate& issued) {
                                     return issued.serial() == serial;
                                   });
    if (used == certificates.end()) {
      return Error(absl::StatusCode::kPermissionDenied,
                   v1::ERROR_REASON_IDENTITY_REVOKED,
                   "this node has a newer certificate, or its master was "
                   "restored; use the newer one, or let it join again");
    }
    if (used == certificates.begin()) return absl::OkStatus();
  }
  // Where the executor is full, the next call does it.
  options_.executor->TryRun(
      [this, id = std::string(node_id), newer = std::string(serial)] {
        DropOlder(id, newer);
      });
  return absl::OkStatus();
}

void NodeRegistry::DropOlder(const std::string& node_id,
                             const std::string& serial) {
  // An error is in the log already, and leaves the older ones good.
  Change([&](SiteNodes& nodes) {
    SiteNode* const node = FindIn(nodes, node_id);
    if (node == nullptr) return absl::CancelledError();
    auto& certificates = *node->mutable_certificates();
    const auto used = std::find_if(certificates.begin(), certificates.end(),
                                   [&](const config::NodeCertificate& issued) {
                                     return issued.serial() == serial;
                                   });
    if (used == certificates.begin() || used == certificates.end()) {
      return absl::CancelledError();
    }
    certificates.erase(certificates.begin(), used);
    return absl::OkStatus();
  }).IgnoreError();
}

void NodeRegistry::Report(std::string_view node_id, v1::NodeReport report) {
  bool back = false;
  {
    absl::MutexLock lock(&mutex_);
    // Removed in this moment: it must not come back by this.
    if (Find(node_id) == nullptr) return;
    Facts& facts = facts_[std::string(node_id)];
    back = std::exchange(facts.said, false);
    facts.heard = options_.clock->SinceBoot();
    facts.reported_here = true;
    facts.received_at = options_.clock->Now();
    facts.report = std::move(report);
    unsaved_reports_ = true;
  }
  if (back) LogInfo("a silent node is back", {{"node_id", node_id}});
}

absl::Status NodeRegistry::Remove(std::string_view node_id) {
  if (node_id == options_.master_node_id) {
    return InvalidField("node_id", "is the master's own");
  }
  const absl::Status status = Change([&](SiteNodes& nodes) -> absl::Status {
    auto& all = *nodes.mutable_nodes();
    const auto node =
        std::find_if(all.begin(), all.end(), [&](const SiteNode& candidate) {
          return candidate.node_id() == node_id;
        });
    if (node == all.end()) {
      return Error(absl::StatusCode::kNotFound,
                   v1::ERROR_REASON_UNKNOWN_RESOURCE,
                   "no such node has joined; cluster-agent node list shows "
                   "those that have");
    }
    all.erase(node);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  std::function<void(const std::string&)> on_removed;
  {
    absl::MutexLock lock(&mutex_);
    const auto facts = facts_.find(node_id);
    if (facts != facts_.end()) facts_.erase(facts);
    unsaved_reports_ = true;
    on_removed = on_removed_;
  }
  LogInfo("a node was removed", {{"node_id", node_id}});
  Tell(v1::CLUSTER_EVENT_TYPE_NODE_REMOVED, node_id);
  if (on_removed) on_removed(std::string(node_id));
  return absl::OkStatus();
}

v1::NodeState NodeRegistry::StateOf(const Facts& facts) const {
  if (options_.clock->SinceBoot() - facts.heard >= options_.silent_after) {
    return v1::NODE_STATE_SILENT;
  }
  return facts.reported_here ? v1::NODE_STATE_LIVE : v1::NODE_STATE_JOINED;
}

KnownNode NodeRegistry::Describe(const SiteNode& node) const {
  KnownNode known;
  known.node_id = node.node_id();
  // Both were checked when they were read or made.
  known.joined_at = FromProto(node.joined_at()).value_or(absl::UnixEpoch());
  known.certificate_not_after =
      FromProto(node.certificates(node.certificates_size() - 1).not_after())
          .value_or(absl::UnixEpoch());
  known.agent_version = node.agent_version();
  const auto facts = facts_.find(node.node_id());
  if (facts == facts_.end()) {
    known.state = v1::NODE_STATE_JOINED;
    return known;
  }
  known.state = StateOf(facts->second);
  known.last_report_at = facts->second.received_at;
  known.report = facts->second.report;
  if (!known.report.node().agent_version().empty()) {
    known.agent_version = known.report.node().agent_version();
  }
  return known;
}

std::vector<KnownNode> NodeRegistry::Nodes() const {
  std::vector<KnownNode> nodes;
  {
    absl::MutexLock lock(&mutex_);
    nodes.reserve(nodes_.nodes_size());
    for (const SiteNode& node : nodes_.nodes()) nodes.push_back(Describe(node));
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const KnownNode& a, const KnownNode& b) {
              return a.node_id < b.node_id;
            });
  return nodes;
}

void NodeRegistry::NoteSilence() {
  std::vector<std::string> silent;
  {
    absl::MutexLock lock(&mutex_);
    for (const SiteNode& node : nodes_.nodes()) {
      const auto found = facts_.find(node.node_id());
      if (found == facts_.end()) continue;
      Facts& facts = found->second;
      if (facts.said || StateOf(facts) != v1::NODE_STATE_SILENT) continue;
      facts.said = true;
      silent.push_back(node.node_id());
    }
  }
  for (const std::string& node_id : silent) {
    LogWarning("a node is silent",
               {{"node_id", node_id},
                {"after", absl::FormatDuration(options_.silent_after)}});
  }
}

void NodeRegistry::SaveReports() {
  config::SiteReports reports;
  absl::MutexLock write(&write_mutex_);
  {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(unsaved_reports_, false)) return;
    for (const auto& [node_id, facts] : facts_) {
      if (!facts.received_at.has_value()) continue;
      config::SiteReport& report = *reports.add_reports();
      report.set_node_id(node_id);
      *report.mutable_received_at() = ToProto(*facts.received_at);
      *report.mutable_report() = facts.report;
    }
  }
  const absl::Status status =
      SaveSiteReports(options_.state_directory, reports);
  if (status.ok()) return;
  LogWarning("the nodes' reports cannot be kept; it is tried again",
             {{"detail", std::string(status.message())}});
  absl::MutexLock lock(&mutex_);
  unsaved_reports_ = true;
}

}  // namespace mc::agent

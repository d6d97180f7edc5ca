// What comes to the agent: calls on its sockets, the nodes of its site, and
// the service's answers.
#include <utility>

#include "cluster-agent/domain/documents/documents.h"
#include "cluster-agent/domain/documents/key_ring.h"
#include "cluster-agent/domain/events/event.h"
#include "cluster-agent/domain/license/contact.h"
#include "cluster-agent/domain/license/license_events.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "cluster-agent/domain/site/site_view.h"
#include "cluster-agent/domain/usage/check.h"
#include "cluster-agent/domain/usage/frame_usage.h"
#include "cluster-agent/domain/usage/split.h"
#include "common/crypto/csr.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/license/outage.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"
#include "mc-service/domain/consumption/rules.h"
#include "missioncontrol/config/v1/agent_state.pb.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/site.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Message;

enum : size_t {
  kRecordUsage,
  kRecordEvents,
  kDescribeNode,
  kNodeReport,
  kJoin,
  kLicenseDocument,
  kLicenseAnswer,
  kUpdatesAnswer,
  kSuccession,
  kReceipt,
  kContact,
};

const std::vector<Call>& AllCalls() {
  static const auto& calls = *new std::vector<Call>{
      {"record_usage", &v1::RecordUsageRequest::default_instance()},
      {"record_events", &v1::RecordEventsRequest::default_instance()},
      {"describe_node", &v1::DescribeNodeRequest::default_instance()},
      {"node_report", &v1::NodeReport::default_instance()},
      {"join", &v1::JoinRequest::default_instance()},
      {"license_document", &v1::LicenseDocument::default_instance()},
      {"license_answer", &v1::CheckLicenseResponse::default_instance()},
      {"updates_answer", &v1::CheckUpdatesResponse::default_instance()},
      {"succession", &v1::KeySuccessionDocument::default_instance()},
      {"receipt", &v1::ConsumptionReceiptDocument::default_instance()},
      {"contact",
       &missioncontrol::config::v1::AgentContact::default_instance()},
  };
  return calls;
}

const PrivateKey& Key() {
  static const auto& key = *new PrivateKey(PrivateKey::GenerateEd25519());
  return key;
}

const DocumentSigner& Signer() {
  static const auto& signer =
      *new DocumentSigner(*PrivateKey::FromPem(Key().ToPem()));
  return signer;
}

// Signs what is in every signed document of the message, whatever it is.
void SignAll(Message& message) {
  if (message.GetDescriptor() == v1::SignedDocument::descriptor()) {
    auto& document = static_cast<v1::SignedDocument&>(message);
    document.set_key_id(Signer().key_id());
    document.set_signature(Key().Sign(document.document()));
    return;
  }
  const auto& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->message_type() == nullptr) continue;
    if (!field->is_repeated()) {
      SignAll(*reflection.MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      SignAll(*reflection.MutableRepeatedMessage(&message, field, i));
    }
  }
}

// Files hold nanoseconds.
bool IsAbout(absl::Duration a, absl::Duration b) {
  return a == b || absl::AbsDuration(a - b) <= absl::Microseconds(1);
}

class Agent : public Session {
 public:
  void Run(size_t call, const Message& message) override {
    clock_.Advance(absl::Seconds(1));
    switch (call) {
      case kRecordUsage:
        return Usage(static_cast<const v1::RecordUsageRequest&>(message));
      case kRecordEvents:
        return Events(static_cast<const v1::RecordEventsRequest&>(message));
      case kDescribeNode:
        return CheckMessage(message).IgnoreError();
      case kNodeReport:
        return Node(static_cast<const v1::NodeReport&>(message));
      case kJoin:
        return Join(static_cast<const v1::JoinRequest&>(message));
      case kLicenseDocument:
        return License(static_cast<const v1::LicenseDocument&>(message));
      case kLicenseAnswer:
        return LicenseAnswer(
            static_cast<const v1::CheckLicenseResponse&>(message));
      case kUpdatesAnswer:
        return UpdatesAnswer(
            static_cast<const v1::CheckUpdatesResponse&>(message));
      case kSuccession:
        return Succession(
            static_cast<const v1::KeySuccessionDocument&>(message));
      case kReceipt:
        return Receipt(
            static_cast<const v1::ConsumptionReceiptDocument&>(message));
      case kContact:
        return Contact(
            static_cast<const missioncontrol::config::v1::AgentContact&>(
                message));
    }
  }

  void End() override {
    // What the agent makes of usage, the service takes.
    const v1::Consumption consumption = usage_.Build(kCluster);
    Require(CheckMessage(consumption).ok(), "reports have their formats");
    Require(service::CheckConsumption(consumption).ok(),
            "the service accepts what the agent reports");
    v1::HealthCheck health;
    health.set_cluster_id(kCluster);
    agent::AddNodes(nodes_, health);
    Require(CheckMessage(health).ok(), "nodes do not spoil a health check");
    for (const auto& beat :
         agent::SiteBeats(kNode, agent::SiteActiveGates({}, nodes_), nodes_)) {
      Require(CheckMessage(beat).ok(), "beats have their formats");
    }
  }

 private:
  void Usage(const v1::RecordUsageRequest& request) {
    if (!CheckMessage(request).ok()) return;
    for (const v1::UsageRecord& given : request.records()) {
      if (!agent::CheckUsageRecord(given, clock_.Now()).ok()) continue;
      v1::UsageRecord record = given;
      if (!record.has_host() && !record.has_used_at()) {
        *record.mutable_used_at() = ToProto(frame_.start);
      }
      Require(agent::UsedDuring(record).ok(), "usage has a time");
      usage_.Add(record).IgnoreError();
    }
  }

  void Events(const v1::RecordEventsRequest& request) {
    if (!CheckMessage(request).ok()) return;
    for (v1::ClusterEvent event : request.events()) {
      agent::CompleteEvent(event, clock_.Now());
      if (!agent::CheckEvent(event).ok()) continue;
      Require(CheckMessage(event).ok(), "events have their formats");
    }
  }

  void Node(const v1::NodeReport& report) {
    if (!CheckMessage(report).ok()) return;
    agent::KnownNode node;
    node.node_id = std::string(kNode) + std::to_string(nodes_.size());
    node.state =
        nodes_.size() % 2 == 0 ? v1::NODE_STATE_LIVE : v1::NODE_STATE_SILENT;
    node.joined_at = clock_.Now();
    node.last_report_at = clock_.Now();
    node.report = report;
    node.report.mutable_node()->set_node_id(node.node_id);
    nodes_.push_back(std::move(node));
  }

  void Join(const v1::JoinRequest& request) {
    if (!CheckMessage(request).ok()) return;
    agent::IsNodeId(request.node_id());
    const auto token = agent::ParseJoinToken(request.token());
    if (token.ok()) agent::IsTokenOf(*token, "");
    const auto csr = ParseCsrDer(request.certificate_signing_request());
    if (csr.ok()) CheckClusterCsr(*csr).IgnoreError();
  }

  // Signed as the service does, whatever it says.
  void License(const v1::LicenseDocument& document) {
    if (document.kind() == v1::DOCUMENT_KIND_UNSPECIFIED) return;
    const v1::SignedDocument signed_document = Signer().Sign(document);
    const auto verified =
        agent::VerifyLicense(signed_document, keys_, kCluster);
    Require(verified.ok() == (document.kind() == v1::DOCUMENT_KIND_LICENSE &&
                              document.cluster_id() == kCluster),
            "a license is of its kind and its cluster");
    if (!verified.ok()) return;
    v1::SignedDocument other = signed_document;
    other.mutable_document()->push_back('\0');
    Require(!agent::VerifyLicense(other, keys_, kCluster).ok(),
            "a document that was changed is not believed");
    Judge({.license = &*verified,
           .now = clock_.Now(),
           .anchored = clock_.Now(),
           .offline = absl::Hours(1),
           .unreachable = true});
    license_ = *verified;
  }

  static void Judge(const LicenseSituation& situation) {
    const absl::Duration next = UntilNextStanding(situation);
    Require(next > absl::ZeroDuration(), "a deadline that is over acts");
    const v1::LicenseStanding standing = JudgeLicense(situation).standing();
    if (next < absl::InfiniteDuration() && next < absl::Hours(24 * 3650)) {
      Require(JudgeLicense(Later(situation, next)).standing() != standing,
              "at a deadline the standing changes");
    }
    const auto timeline = Timeline(situation, absl::Hours(24 * 365));
    Require(!timeline.empty() && timeline.size() <= 16,
            "a license changes a few times");
    agent::ToldLicense told;
    agent::LicenseEvents(situation, told);
    Require(agent::UntilNextWarning(situation) > absl::ZeroDuration(),
            "a warning that is due was given");
  }

  void LicenseAnswer(const v1::CheckLicenseResponse& given) {
    Require(!agent::VerifyLicenseAnswer(given, keys_, kCluster).ok(),
            "what nobody has signed is not believed");
    v1::CheckLicenseResponse answer = given;
    SignAll(answer);
    agent::FollowSuccessions(answer.key_successions(), keys_)
        .status()
        .IgnoreError();
    if (!agent::VerifyLicenseAnswer(answer, keys_, kCluster).ok()) return;
    Require(answer.license().cluster_id() == kCluster,
            "a license is of its cluster");
    license_ = answer.license();
  }

  void UpdatesAnswer(const v1::CheckUpdatesResponse& given) {
    Require(agent::VerifyReleases(given, keys_).available.empty(),
            "what nobody has signed is not offered");
    v1::CheckUpdatesResponse answer = given;
    SignAll(answer);
    agent::VerifyReleases(answer, keys_);
  }

  void Succession(const v1::KeySuccessionDocument& document) {
    if (document.kind() == v1::DOCUMENT_KIND_UNSPECIFIED) return;
    google::protobuf::RepeatedPtrField<v1::SignedDocument> successions;
    *successions.Add() = Signer().Sign(document);
    const auto keys = agent::FollowSuccessions(successions, keys_);
    if (!keys.ok()) return;
    Require(keys->size() >= keys_.size() && keys->size() <= keys_.size() + 1,
            "one succession names one key");
    for (const v1::DocumentKey& key : *keys) {
      Require(key.key_id() == DocumentKeyId(key.public_key()),
              "a key has its own name");
    }
  }

  void Receipt(const v1::ConsumptionReceiptDocument& document) {
    if (document.kind() == v1::DOCUMENT_KIND_UNSPECIFIED) return;
    const agent::ExpectedReceipt expected = {.cluster_id = kCluster,
                                             .epoch = kEpoch,
                                             .sequence = 1,
                                             .report_sha256 = "digest"};
    const bool good =
        document.kind() == v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT &&
        document.cluster_id() == kCluster && document.epoch() == kEpoch &&
        document.sequence() == 1 && document.report_sha256() == "digest";
    Require(
        agent::VerifyReceipt(Signer().Sign(document), keys_, expected).ok() ==
            good,
        "a receipt is of its report");
  }

  void Contact(const missioncontrol::config::v1::AgentContact& kept) {
    agent::Contact contact(&clock_, "boot");
    contact.Restore(kept);
    LicenseSituation situation = contact.Situation();
    Require(situation.offline >= absl::ZeroDuration(),
            "nobody is offline for less than no time");
    situation.license = &license_;
    Judge(situation);
    const LicenseSituation before = contact.Situation();
    agent::Contact again(&clock_, "boot");
    again.Restore(contact.Note());
    const LicenseSituation after = again.Situation();
    Require(IsAbout(before.offline, after.offline) &&
                before.anchored.has_value() == after.anchored.has_value() &&
                (!before.anchored.has_value() ||
                 IsAbout(*before.anchored - absl::UnixEpoch(),
                         *after.anchored - absl::UnixEpoch())),
            "what is kept says the same again");
  }

  SimulatedClock clock_{absl::FromUnixSeconds(kHour) + absl::Minutes(70)};
  const agent::DocumentKeys keys_ = {Signer().document_key()};
  const agent::TimeFrame frame_ = {
      absl::FromUnixSeconds(kHour),
      absl::FromUnixSeconds(kHour) + absl::Hours(1)};
  agent::FrameUsage usage_{frame_};
  std::vector<agent::KnownNode> nodes_;
  v1::LicenseDocument license_;
};

}  // namespace

std::span<const Call> Calls() { return AllCalls(); }

// Those of its sockets are called by fuzz_local.cc.
std::span<const std::string_view> Services() { return {}; }

std::unique_ptr<Session> Begin() { return std::make_unique<Agent>(); }

}  // namespace mc::fuzz

// What comes to the agent's sockets, through its own handlers to an outbox on
// the disk; and what the nodes of its site send to their master.
#include <grpcpp/test/default_reactor_test_peer.h>

#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "cluster-agent/domain/mastership/other_master.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/node_report.h"
#include "cluster-agent/domain/site/site_view.h"
#include "cluster-agent/local/agent_service.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/files/temp_dir.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/wire/check.h"
#include "mc-service/domain/consumption/rules.h"
#include "missioncontrol/v1/site_service.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;
using agent::LocalAgentService;
using google::protobuf::Message;

constexpr char kMaster[] = "5f9c3d1e-0000-4000-8000-000000000001";

enum : size_t {
  kJoin,
  kRenew,
  kReports,
  kSockets,  // the first of those that fuzz the sockets
};

// What a call on a socket does.
using Handler = void (*)(LocalAgentService&, const Message&);

// Calls it as gRPC does, and waits for its end.
template <typename Request, typename Response>
using Method = grpc::ServerUnaryReactor* (
    LocalAgentService::*)(grpc::CallbackServerContext*, const Request*,
                          Response*);
template <typename Request, typename Response,
          Method<Request, Response> kMethod>
void Handle(LocalAgentService& service, const Message& message) {
  grpc::CallbackServerContext context;
  absl::Notification over;
  grpc::Status status;
  grpc::testing::DefaultReactorTestPeer peer(&context, [&](grpc::Status s) {
    status = std::move(s);
    over.Notify();
  });
  Response response;
  (service.*kMethod)(&context, static_cast<const Request*>(&message),
                     &response);
  over.WaitForNotification();
  // The peer writes once more after it has told the status.
  while (!peer.test_status_set()) std::this_thread::yield();
  const absl::Status told = FromGrpc(status);
  Require(told.ok() || ReasonOf(told) != v1::ERROR_REASON_UNSPECIFIED,
          "what is refused has a reason");
  Require(ReasonOf(told) != v1::ERROR_REASON_INTERNAL_FAULT &&
              ReasonOf(told) != v1::ERROR_REASON_STORE_UNAVAILABLE,
          "no message is too much for the agent");
}

// Streams whose request says nothing.
void CheckAlone(LocalAgentService&, const Message& message) {
  CheckMessage(message).IgnoreError();
}

struct SocketCall {
  Call call;
  Handler handler;
};

#define MC_CALL(name)                                 \
  {                                                   \
    {"missioncontrol.v1.AgentService." #name,         \
     &v1::name##Request::default_instance()},         \
        Handle<v1::name##Request, v1::name##Response, \
               &LocalAgentService::name>              \
  }
#define MC_STREAM(name)                       \
  {                                           \
    {"missioncontrol.v1.AgentService." #name, \
     &v1::name##Request::default_instance()}, \
        CheckAlone                            \
  }

const std::vector<SocketCall>& SocketCalls() {
  static const auto& calls = *new std::vector<SocketCall>{
      MC_CALL(RecordUsage),          MC_CALL(RecordTraffic),
      MC_CALL(DescribeEnvironments), MC_CALL(DescribeNode),
      MC_CALL(DescribeActiveGates),  MC_CALL(RecordEvents),
      MC_CALL(GetLicenseState),      MC_STREAM(WatchLicenseState),
      MC_STREAM(WatchSettings),      MC_CALL(GetStatus),
      MC_CALL(ListOutbox),           MC_CALL(GetOutboxReport),
      MC_CALL(ListReceipts),         MC_CALL(ListRecordedEvents),
      MC_CALL(CreateJoinToken),      MC_CALL(ListNodes),
      MC_CALL(RemoveNode),           MC_CALL(ListSentMessages),
      MC_CALL(SetPrivacySettings),   MC_CALL(SetUpdateWindow),
      MC_CALL(StartUpdate),          MC_CALL(ListRemoteAccessRequests),
      MC_CALL(DecideRemoteAccess),
  };
  return calls;
}

#undef MC_CALL
#undef MC_STREAM

const std::vector<Call>& AllCalls() {
  static const auto& calls = *[] {
    auto* all = new std::vector<Call>{
        {"missioncontrol.v1.SiteService.Join",
         &v1::JoinRequest::default_instance()},
        {"missioncontrol.v1.SiteService.RenewNodeCertificate",
         &v1::RenewNodeCertificateRequest::default_instance()},
        {"missioncontrol.v1.SiteService.StreamNodeReports",
         &v1::StreamNodeReportsRequest::default_instance()},
    };
    for (const SocketCall& socket : SocketCalls()) all->push_back(socket.call);
    return all;
  }();
  return calls;
}

// One for all inputs: its key costs more than a call.
const agent::SiteAuthority& Authority() {
  static const TempDir folder;
  static const auto& authority = *new agent::SiteAuthority([] {
    auto opened = agent::SiteAuthority::Open({.state_directory = folder.path(),
                                              .ca_certificate_file = "",
                                              .ca_key_file = "",
                                              .cluster_id = kCluster});
    Require(opened.ok(), "a site has a CA");
    return *std::move(opened);
  }());
  return authority;
}

// What files keep of a message: fields that this version does not know are
// left out.
template <typename T>
std::string Known(T message) {
  message.DiscardUnknownFields();
  return message.SerializeAsString();
}

class Local : public Session {
 public:
  Local() {
    Open();
    Require(registry_ != nullptr, "a new folder is good");
    deps_.outbox = outbox_.get();
    deps_.description = description_.get();
    deps_.executor = &executor_;
    deps_.clock = &clock_;
    deps_.other_environments = {"inventory"};
    deps_.status = [] { return v1::GetStatusResponse(); };
    deps_.on_described = [] {};
    deps_.nodes = registry_.get();
    deps_.own_node = [] {
      v1::NodeEntry entry;
      entry.set_node_id(kMaster);
      return entry;
    };
    product_.emplace(deps_, agent::LocalSocket::kProduct);
    admin_.emplace(deps_, agent::LocalSocket::kAdmin);
  }

  void Run(size_t call, const Message& message) override {
    clock_.Advance(absl::Seconds(30));
    switch (call) {
      case kJoin:
        return Join(static_cast<const v1::JoinRequest&>(message));
      case kRenew:
        return Renew(
            static_cast<const v1::RenewNodeCertificateRequest&>(message));
      case kReports:
        return Report(
            static_cast<const v1::StreamNodeReportsRequest&>(message));
    }
    const Handler handler = SocketCalls()[call - kSockets].handler;
    handler(*admin_, message);
    handler(*product_, message);
  }

  void End() override {
    CheckSite();
    CheckOutbox();
    const auto node = description_->node();
    const auto gates = description_->active_gates();
    const auto environments = description_->environments();
    registry_->SaveReports();
    const size_t nodes = registry_->Nodes().size();
    executor_.Shutdown();
    outbox_ = nullptr;
    Open();
    Require(Known(description_->node()) == Known(node) &&
                Known(description_->active_gates()) == Known(gates) &&
                Known(description_->environments()) == Known(environments),
            "what was described is known after a restart");
    Require(registry_->Nodes().size() == nodes,
            "nodes are known after a restart");
  }

 private:
  // As at a start of the agent.
  void Open() {
    agent::Outbox::Options options;
    options.path = folder_.File("usage.db");
    options.cluster_id = kCluster;
    options.clock = &clock_;
    auto outbox = agent::Outbox::Open(std::move(options));
    auto description = agent::Description::Open(folder_.path());
    auto registry = agent::NodeRegistry::Open(
        {.state_directory = folder_.path(),
         .authority = &Authority(),
         .clock = &clock_,
         .executor = &executor_,
         .master_node_id = kMaster,
         .standing_token = [] { return std::string(kJoinToken); }});
    Require(outbox.ok() && description.ok() && registry.ok(),
            "what the agent keeps can be read");
    outbox_ = *std::move(outbox);
    description_ = *std::move(description);
    registry_ = *std::move(registry);
  }

  static void CheckRefusal(const absl::Status& status) {
    Require(status.ok() || ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED,
            "what is refused has a reason");
  }

  std::optional<agent::IssuedCertificate> Issued(
      absl::StatusOr<agent::IssuedCertificate> issued,
      std::string_view request_der, std::string_view node_id) {
    CheckRefusal(issued.status());
    if (!issued.ok()) return std::nullopt;
    const auto certificate = ParseCertificateDer(issued->der);
    const auto request = ParseCsrDer(request_der);
    Require(certificate.ok() && request.ok() && !certificate->is_ca &&
                certificate->spki_sha256 == Sha256(request->spki_der) &&
                certificate->uri_sans ==
                    std::vector<std::string>{absl::StrCat(
                        "spiffe://", kCluster, "/node/",
                        absl::string_view(node_id.data(), node_id.size()))},
            "a certificate is of the key and the node that asked");
    return *std::move(issued);
  }

  void Join(const v1::JoinRequest& request) {
    if (!CheckMessage(request).ok()) return;
    auto joined =
        Issued(registry_->Join(request), request.certificate_signing_request(),
               request.node_id());
    if (!joined.has_value()) return;
    const auto token = agent::ParseJoinToken(request.token());
    Require(token.ok() &&
                token->secret == agent::ParseJoinToken(kJoinToken)->secret,
            "who joins has a token");
    Require(request.node_id() != kMaster, "nobody joins as the master");
    Require(registry_->Admit(request.node_id(), joined->serial_hex).ok(),
            "who has joined is let in");
    node_ = {request.node_id(), joined->serial_hex};
  }

  void Renew(const v1::RenewNodeCertificateRequest& request) {
    if (!CheckMessage(request).ok() ||
        !registry_->Admit(node_.first, node_.second).ok()) {
      return;
    }
    auto renewed = Issued(
        registry_->Renew(node_.first, request.certificate_signing_request()),
        request.certificate_signing_request(), node_.first);
    if (!renewed.has_value()) return;
    Require(registry_->Admit(node_.first, node_.second).ok(),
            "a certificate is good until the one that follows is used");
    Require(registry_->Admit(node_.first, renewed->serial_hex).ok(),
            "who has renewed is let in");
    node_.second = renewed->serial_hex;
  }

  void Report(const v1::StreamNodeReportsRequest& request) {
    if (request.has_hello() && CheckMessage(request.hello()).ok()) {
      agent::IsOtherMaster(request.hello(), kInstance, absl::Seconds(90),
                           absl::Hours(1));
    }
    if (!request.has_report() || node_.first.empty()) return;
    const absl::Status status = agent::CheckNodeReport(request.report());
    CheckRefusal(status);
    if (!status.ok()) return;
    v1::NodeReport report = request.report();
    report.mutable_node()->set_node_id(node_.first);
    report.mutable_node()->set_master(false);
    registry_->Report(node_.first, std::move(report));
  }

  void CheckSite() {
    const auto nodes = registry_->Nodes();
    v1::HealthCheck health;
    health.set_cluster_id(kCluster);
    agent::AddNodes(nodes, health);
    Require(CheckMessage(health).ok(), "nodes do not spoil a health check");
    for (const auto& beat :
         agent::SiteBeats(kMaster, agent::SiteActiveGates({}, nodes), nodes)) {
      Require(CheckMessage(beat).ok(), "beats have their formats");
    }
  }

  // What the agent makes of what it was told, the service takes.
  void CheckOutbox() {
    clock_.Advance(absl::Hours(2));
    Require(outbox_->CloseFrames().ok(), "time frames can be closed");
    const auto epochs = outbox_->Epochs();
    Require(epochs.ok(), "lanes have epochs");
    for (const v1::LaneEpoch& epoch : *epochs) {
      const auto reports = outbox_->Next(
          {.lane = epoch.lane(), .epoch = epoch.epoch(), .sequence = 0}, 1000,
          size_t{1} << 24);
      Require(reports.ok(), "what waits can be sent");
      for (const agent::OutboxReport& report : *reports) Check(report);
    }
  }

  static void Check(const agent::OutboxReport& report) {
    v1::StreamReportsRequest request;
    Require(
        request.ParseFromString(report.request) && CheckMessage(request).ok(),
        "reports have their formats");
    Require(!request.report().has_consumption() ||
                service::CheckConsumption(request.report().consumption()).ok(),
            "the service accepts what the agent reports");
  }

  TempDir folder_;
  SimulatedClock clock_{absl::FromUnixSeconds(kHour) + absl::Minutes(50)};
  Executor executor_{1, 100};
  std::unique_ptr<agent::Outbox> outbox_;
  std::unique_ptr<agent::Description> description_;
  std::unique_ptr<agent::NodeRegistry> registry_;
  agent::LocalDeps deps_;
  std::optional<LocalAgentService> product_;
  std::optional<LocalAgentService> admin_;
  // Who has joined last: ID, and serial number of its certificate.
  std::pair<std::string, std::string> node_;
};

}  // namespace

std::span<const Call> Calls() { return AllCalls(); }

std::span<const std::string_view> Services() {
  static constexpr std::string_view kServices[] = {
      "missioncontrol.v1.AgentService", "missioncontrol.v1.SiteService"};
  return kServices;
}

std::unique_ptr<Session> Begin() { return std::make_unique<Local>(); }

}  // namespace mc::fuzz

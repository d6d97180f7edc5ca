#include "cluster-agent/site/site_server.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/site/fixture.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/crypto/openssl.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/tls/credentials.h"
#include "missioncontrol/v1/site_service.grpc.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
using Stub = v1::SiteService::Stub;
using Stream = grpc::ClientReaderWriter<v1::StreamNodeReportsRequest,
                                        v1::StreamNodeReportsResponse>;

// One connection to the master, as a node has it.
struct Link {
  // Empty key: without a client certificate.
  Link(int port, const std::string& ca_pem, const std::string& certificate_pem,
       const std::string& key_pem) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(kMasterName);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = ca_pem;
    tls.pem_cert_chain = certificate_pem;
    tls.pem_private_key = key_pem;
    channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                        grpc::SslCredentials(tls), arguments);
    stub = v1::SiteService::NewStub(channel);
  }

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Stub> stub;
};

// Sends frame by frame what no client library would.
class RawClient {
 public:
  explicit RawClient(int port, const std::string& certificate_pem = "",
                     const std::string& key_pem = "")
      : context_(SSL_CTX_new(TLS_client_method())) {
    constexpr unsigned char kH2[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context_.get(), kH2, sizeof(kH2));
    if (!certificate_pem.empty()) {
      SSL_CTX_use_certificate(
          context_.get(), openssl::CertificateFromPem(certificate_pem)->get());
      SSL_CTX_use_PrivateKey(context_.get(),
                             PrivateKey::FromPem(key_pem)->get());
    }
    connection_.reset(BIO_new_ssl_connect(context_.get()));
    BIO_set_conn_hostname(connection_.get(),
                          absl::StrCat("127.0.0.1:", port).c_str());
    EXPECT_EQ(BIO_do_handshake(connection_.get()), 1);
    const timeval patience = {30, 0};
    setsockopt(static_cast<int>(BIO_get_fd(connection_.get(), nullptr)),
               SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0, ""));
  }

  static std::string Frame(char kind, char flags, char stream,
                           const std::string& payload) {
    std::string frame(9, '\0');
    frame[1] = static_cast<char>(payload.size() >> 8);
    frame[2] = static_cast<char>(payload.size() & 0xff);
    frame[3] = kind;
    frame[4] = flags;
    frame[8] = stream;
    return frame + payload;
  }
  // A call with one more header field; names and values are short.
  static std::string Call(const std::string& name, const std::string& value) {
    std::string block;
    for (const auto& [field, text] :
         {std::pair<std::string, std::string>(":method", "POST"),
          {":scheme", "https"},
          {":path", "/missioncontrol.v1.SiteService/Join"},
          {":authority", "master"},
          {"content-type", "application/grpc"},
          {"te", "trailers"},
          {name, value}}) {
      block += '\0';
      block += static_cast<char>(field.size());
      block += field;
      block += static_cast<char>(text.size());
      block += text;
    }
    return Frame(1, 5, 1, block);
  }

  bool Send(const std::string& bytes) {
    return BIO_write(connection_.get(), bytes.data(),
                     static_cast<int>(bytes.size())) > 0;
  }
  // Whether the master ends the connection, before the patience does.
  bool IsEnded() {
    char bytes[4096];
    while (BIO_read(connection_.get(), bytes, sizeof(bytes)) > 0) {
    }
    return !BIO_should_retry(connection_.get());
  }

 private:
  openssl::Owner<SSL_CTX, SSL_CTX_free> context_;
  openssl::Bio connection_;
};

struct Call {
  Call() { context.set_deadline(gpr_time_from_seconds(30, GPR_TIMESPAN)); }
  grpc::ClientContext context;
};

// A node that has joined, with its link to the node port.
struct Node {
  std::string id;
  PrivateKey key;
  std::string certificate_pem;
  std::unique_ptr<Link> link;
};

class SiteServerTest : public testing::Test {
 protected:
  SiteServerTest() {
    site_.Open();
    Start();
  }
  ~SiteServerTest() override {
    server_ = nullptr;
    site_.executor.Shutdown();
  }

  void Start() {
    server_ = nullptr;
    SiteServer::Options options;
    options.join_address = "127.0.0.1:0";
    options.nodes_address = "127.0.0.1:0";
    options.told_address = told_address_;
    options.deps.authority = &*site_.authority;
    options.deps.registry = site_.registry.get();
    options.deps.executor = &site_.executor;
    options.deps.clock = &site_.clock;
    options.deps.cluster_id = kCluster;
    options.deps.master_node_id = kMaster;
    options.deps.master_instance_id = "instance-1";
    options.deps.report_interval = absl::Seconds(30);
    options.deps.silent_after = absl::Seconds(90);
    options.deps.is_master = [this] { return is_master_; };
    options.deps.on_other_master = [this](const std::string& id) {
      other_master_ = id;
    };
    auto server = SiteServer::Start(std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    site_.registry->SetOnRemoved(
        [this](const std::string& id) { server_->OnRemoved(id); });
  }

  std::string CaPem() const { return site_.authority->ca_pem(); }
  Link JoinLink() { return Link(server_->join_port(), CaPem(), "", ""); }
  std::unique_ptr<Link> NodeLink(const std::string& certificate_pem,
                                 const PrivateKey& key) {
    return std::make_unique<Link>(server_->nodes_port(), CaPem(),
                                  certificate_pem, key.ToPem());
  }
  absl::StatusOr<v1::JoinResponse> Join(const v1::JoinRequest& request) {
    const Link link = JoinLink();
    Call call;
    v1::JoinResponse response;
    const grpc::Status status =
        link.stub->Join(&call.context, request, &response);
    if (!status.ok()) return FromGrpc(status);
    return response;
  }
  Node Joined(const std::string& id) {
    PrivateKey key = PrivateKey::GenerateP256();
    const auto answer = Join(SiteFixture::Request(site_.Token(), id, key));
    EXPECT_TRUE(answer.ok()) << answer.status();
    std::string pem = *CertificateDerToPem(answer->node_certificate());
    auto link = NodeLink(pem, key);
    return {id, std::move(key), std::move(pem), std::move(link)};
  }

  static v1::StreamNodeReportsRequest Hello() {
    v1::StreamNodeReportsRequest request;
    request.mutable_hello()->set_agent_instance_id("node-instance");
    request.mutable_hello()->set_agent_version("1.2.3");
    return request;
  }
  static v1::StreamNodeReportsRequest Report() {
    v1::StreamNodeReportsRequest request;
    v1::NodeReport& report = *request.mutable_report();
    report.mutable_node()->set_cpu_cores(8);
    report.mutable_node()->set_master(true);
    report.add_active_gates()->set_active_gate_id("gate-1");
    return request;
  }
  // A stream on which Hello was welcomed.
  std::unique_ptr<Stream> Opened(const Node& node, Call& call) {
    std::unique_ptr<Stream> stream =
        node.link->stub->StreamNodeReports(&call.context);
    v1::StreamNodeReportsResponse response;
    EXPECT_TRUE(stream->Write(Hello()));
    EXPECT_TRUE(stream->Read(&response)) << FromGrpc(stream->Finish());
    EXPECT_TRUE(response.has_welcome());
    return stream;
  }
  static bool Reported(Stream& stream,
                       const v1::StreamNodeReportsRequest& report = Report()) {
    v1::StreamNodeReportsResponse response;
    return stream.Write(report) && stream.Read(&response) &&
           response.has_receipt();
  }
  // How a stream ends that gets no further answer.
  static v1::ErrorReason End(Stream& stream) {
    v1::StreamNodeReportsResponse response;
    EXPECT_FALSE(stream.Read(&response)) << response.ShortDebugString();
    return ReasonOf(FromGrpc(stream.Finish()));
  }
  v1::ErrorReason Renew(const Node& node, std::string* certificate_pem,
                        const PrivateKey& key) {
    Call call;
    v1::RenewNodeCertificateRequest request;
    request.set_certificate_signing_request(BuildCsrDer(key));
    v1::RenewNodeCertificateResponse response;
    const absl::Status status = FromGrpc(node.link->stub->RenewNodeCertificate(
        &call.context, request, &response));
    if (status.ok()) {
      *certificate_pem = *CertificateDerToPem(response.node_certificate());
    }
    return ReasonOf(status);
  }

  SiteFixture site_;
  std::string told_address_;
  bool is_master_ = true;
  std::string other_master_;
  std::unique_ptr<SiteServer> server_;
};

TEST_F(SiteServerTest, ANodeJoinsAndReports) {
  const PrivateKey key = PrivateKey::GenerateP256();
  const auto answer = Join(SiteFixture::Request(site_.Token(), kNodeA, key));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->site_ca(), site_.authority->ca_der());
  EXPECT_EQ(answer->node_address(), absl::StrCat(":", server_->nodes_port()));
  const std::string pem = *CertificateDerToPem(answer->node_certificate());
  const auto link = NodeLink(pem, key);
  Call call;
  auto stream = link->stub->StreamNodeReports(&call.context);
  v1::StreamNodeReportsResponse response;
  ASSERT_TRUE(stream->Write(Hello()));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.welcome().master_instance_id(), "instance-1");
  EXPECT_EQ(response.welcome().master_node_id(), kMaster);
  EXPECT_EQ(response.welcome().report_interval().seconds(), 30);
  EXPECT_EQ(*FromProto(response.welcome().master_time()), site_.clock.Now());
  ASSERT_TRUE(Reported(*stream));
  const KnownNode node = site_.registry->Nodes().at(0);
  EXPECT_EQ(node.state, v1::NODE_STATE_LIVE);
  EXPECT_EQ(node.report.node().node_id(), kNodeA);
  EXPECT_FALSE(node.report.node().master());
  EXPECT_EQ(node.report.active_gates(0).active_gate_id(), "gate-1");
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(SiteServerTest, WhoeverHasNoTokenIsNotLetIn) {
  const std::string token =
      FormatJoinToken(NewJoinToken(site_.authority->ca_der()));
  const PrivateKey key = PrivateKey::GenerateP256();
  EXPECT_EQ(ReasonOf(Join(SiteFixture::Request(token, kNodeA, key)).status()),
            v1::ERROR_REASON_JOIN_TOKEN_REFUSED);
  absl::Status refused;
  for (int i = 0; i < AttemptLimit::kBurst; ++i) {
    refused = Join(SiteFixture::Request(token, kNodeA, key)).status();
  }
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_OVERLOADED);
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
}

TEST_F(SiteServerTest, BadFieldsOfAJoinAreNamed) {
  v1::JoinRequest request =
      SiteFixture::Request(site_.Token(), "a b", PrivateKey::GenerateP256());
  EXPECT_EQ(ReasonOf(Join(request).status()), v1::ERROR_REASON_INVALID_FIELD);
  request.set_node_id(kNodeA);
  request.set_certificate_signing_request("none");
  EXPECT_EQ(ReasonOf(Join(request).status()), v1::ERROR_REASON_CSR_MALFORMED);
  request.set_certificate_signing_request(std::string(40'000, 'x'));
  EXPECT_EQ(Join(request).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(SiteServerTest, TheConfiguredAddressIsTold) {
  told_address_ = "master.example.com:9";
  Start();
  const auto answer = Join(
      SiteFixture::Request(site_.Token(), kNodeA, PrivateKey::GenerateP256()));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->node_address(), "master.example.com:9");
}

TEST_F(SiteServerTest, EachPortHasItsOwnCalls) {
  const Node node = Joined(kNodeA);
  Call join;
  v1::JoinResponse joined;
  EXPECT_EQ(
      ReasonOf(FromGrpc(node.link->stub->Join(
          &join.context, SiteFixture::Request(site_.Token(), kNodeB, node.key),
          &joined))),
      v1::ERROR_REASON_METHOD_NOT_ALLOWED);
  const Link link = JoinLink();
  Call renew;
  v1::RenewNodeCertificateResponse renewed;
  EXPECT_EQ(ReasonOf(FromGrpc(
                link.stub->RenewNodeCertificate(&renew.context, {}, &renewed))),
            v1::ERROR_REASON_METHOD_NOT_ALLOWED);
  Call open;
  auto stream = link.stub->StreamNodeReports(&open.context);
  EXPECT_EQ(End(*stream), v1::ERROR_REASON_METHOD_NOT_ALLOWED);
}

TEST_F(SiteServerTest, TheNodePortTakesOnlyCertificatesOfItsCa) {
  const auto other =
      CertificateAuthority::Create("other", site_.clock.Now() - absl::Hours(1),
                                   site_.clock.Now() + absl::Hours(1));
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.uri_sans = {NodeUri(kCluster, kNodeA)};
  spec.client_auth = true;
  spec.not_before = site_.clock.Now() - absl::Hours(1);
  spec.not_after = site_.clock.Now() + absl::Hours(1);
  const std::string foreign = *CertificateDerToPem(*other->Issue(spec));
  for (const auto& [certificate, key_pem] :
       {std::pair<std::string, std::string>("", ""),
        std::pair(foreign, key.ToPem())}) {
    const Link link(server_->nodes_port(), CaPem(), certificate, key_pem);
    Call call;
    auto stream = link.stub->StreamNodeReports(&call.context);
    v1::StreamNodeReportsResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_TRUE(absl::IsUnavailable(FromGrpc(stream->Finish())));
  }
  // Of this CA, and of another site or purpose.
  const IssuedCertificate ours = *site_.authority->IssueNode(
      kNodeB, *ParseCsrDer(BuildCsrDer(key)), site_.clock.Now());
  const auto link = NodeLink(*CertificateDerToPem(ours.der), key);
  Call call;
  auto stream = link->stub->StreamNodeReports(&call.context);
  EXPECT_EQ(End(*stream), v1::ERROR_REASON_NODE_REMOVED)
      << "it is not in the registry";
}

TEST_F(SiteServerTest, HelloComesFirstAndOnce) {
  const Node node = Joined(kNodeA);
  {
    Call call;
    auto stream = node.link->stub->StreamNodeReports(&call.context);
    stream->Write(Report());
    EXPECT_EQ(End(*stream), v1::ERROR_REASON_HELLO_EXPECTED);
  }
  {
    Call call;
    auto stream = Opened(node, call);
    stream->Write(Hello());
    EXPECT_EQ(End(*stream), v1::ERROR_REASON_HELLO_EXPECTED);
  }
  {
    Call call;
    auto stream = Opened(node, call);
    stream->Write(v1::StreamNodeReportsRequest());
    EXPECT_EQ(End(*stream), v1::ERROR_REASON_INVALID_FIELD);
  }
}

TEST_F(SiteServerTest, BadReportsAreRefused) {
  const Node node = Joined(kNodeA);
  const auto end = [&](auto spoil) {
    Call call;
    auto stream = Opened(node, call);
    v1::StreamNodeReportsRequest request = Report();
    spoil(*request.mutable_report());
    stream->Write(request);
    return End(*stream);
  };
  EXPECT_EQ(end([](auto& r) { r.mutable_node()->set_node_id(kNodeB); }),
            v1::ERROR_REASON_IDENTITY_MISMATCH);
  EXPECT_EQ(end([](auto& r) { r.mutable_node()->set_cpu_cores(-1); }),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(end([](auto& r) { r.add_active_gates(); }),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(end([](auto& r) { *r.add_active_gates() = r.active_gates(0); }),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(end([](auto& r) {
              for (int i = 0; i < 65; ++i) r.mutable_node()->add_partitions();
            }),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(end([](auto& r) {
              for (int i = 0; i < 257; ++i) r.mutable_node()->add_services();
            }),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_FALSE(site_.registry->Nodes().at(0).last_report_at.has_value());
}

TEST_F(SiteServerTest, ANewerStreamEndsTheOlder) {
  const Node node = Joined(kNodeA);
  Call older_call, newer_call;
  auto older = Opened(node, older_call);
  ASSERT_TRUE(Reported(*older));
  auto newer = Opened(node, newer_call);
  EXPECT_EQ(End(*older), v1::ERROR_REASON_SUPERSEDED);
  EXPECT_TRUE(Reported(*newer));
}

TEST_F(SiteServerTest, ARemovedNodeIsCutAtOnceAndStaysOut) {
  const Node node = Joined(kNodeA);
  Call call;
  auto stream = Opened(node, call);
  ASSERT_TRUE(Reported(*stream));
  ASSERT_TRUE(site_.registry->Remove(kNodeA).ok());
  EXPECT_EQ(End(*stream), v1::ERROR_REASON_NODE_REMOVED);
  Call again;
  auto refused = node.link->stub->StreamNodeReports(&again.context);
  EXPECT_EQ(End(*refused), v1::ERROR_REASON_NODE_REMOVED);
  std::string certificate;
  EXPECT_EQ(Renew(node, &certificate, PrivateKey::GenerateP256()),
            v1::ERROR_REASON_NODE_REMOVED);
}

TEST_F(SiteServerTest, ARenewedCertificateReplacesTheOlderByItsUse) {
  const Node node = Joined(kNodeA);
  Call older_call;
  auto older = Opened(node, older_call);
  Node renewed{kNodeA, PrivateKey::GenerateP256(), "", nullptr};
  ASSERT_EQ(Renew(node, &renewed.certificate_pem, renewed.key),
            v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_TRUE(Reported(*older)) << "the newer was not used yet";
  renewed.link = NodeLink(renewed.certificate_pem, renewed.key);
  Call newer_call;
  auto newer = Opened(renewed, newer_call);
  EXPECT_TRUE(Reported(*newer));
  // The executor, which drops the older one, has one thread: this renewal is
  // behind it.
  std::string unused;
  ASSERT_EQ(Renew(renewed, &unused, PrivateKey::GenerateP256()),
            v1::ERROR_REASON_UNSPECIFIED);
  Call late_call;
  auto late = node.link->stub->StreamNodeReports(&late_call.context);
  EXPECT_EQ(End(*late), v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(SiteServerTest, AnExpiredCertificateIsRefusedOnAnOpenConnection) {
  const Node node = Joined(kNodeA);
  Call call;
  auto stream = Opened(node, call);
  site_.clock.Advance(absl::Hours(169));
  EXPECT_TRUE(Reported(*stream)) << "a clock that jumps silences nobody";
  std::string certificate;
  EXPECT_EQ(Renew(node, &certificate, PrivateKey::GenerateP256()),
            v1::ERROR_REASON_IDENTITY_MISSING);
}

TEST_F(SiteServerTest, TheMastersCertificateRenewsWithoutARestart) {
  const auto serial = [this] {
    const Link link = JoinLink();
    Call call;
    v1::JoinResponse response;
    EXPECT_FALSE(link.stub->Join(&call.context, {}, &response).ok());
    const auto found = call.context.auth_context()->FindPropertyValues(
        GRPC_X509_PEM_CERT_PROPERTY_NAME);
    EXPECT_EQ(found.size(), 1u);
    return ParseCertificatePem(std::string(found[0].data(), found[0].size()))
        ->serial_hex;
  };
  const std::string first = serial();
  EXPECT_EQ(serial(), first);
  // Half of its lifetime. It starts an hour before it is made, so that the
  // real clock, by which TLS goes, takes only one that is set back.
  site_.clock.SetNow(site_.clock.Now() - absl::Hours(2));
  const std::string second = serial();
  EXPECT_NE(second, first);
  EXPECT_EQ(serial(), second);
}

TEST_F(SiteServerTest, AnotherMasterIsNoticed) {
  const Node node = Joined(kNodeA);
  site_.clock.Advance(absl::Minutes(10));
  const auto say = [&](const std::string& instance, absl::Duration age) {
    Call call;
    auto stream = node.link->stub->StreamNodeReports(&call.context);
    v1::StreamNodeReportsRequest hello = Hello();
    hello.mutable_hello()->set_last_master_instance_id(instance);
    *hello.mutable_hello()->mutable_last_master_contact_age() = ToProto(age);
    v1::StreamNodeReportsResponse response;
    EXPECT_TRUE(stream->Write(hello) && stream->Read(&response));
  };
  say("instance-1", absl::Seconds(1));
  say("predecessor", absl::Minutes(11));
  say("long-gone", absl::Minutes(9));
  EXPECT_EQ(other_master_, "");
  say("other", absl::Seconds(20));
  EXPECT_EQ(other_master_, "other");
}

TEST_F(SiteServerTest, OneWhoIsNotTheMasterSaysSo) {
  const Node node = Joined(kNodeA);
  is_master_ = false;
  Call call;
  auto stream = node.link->stub->StreamNodeReports(&call.context);
  EXPECT_EQ(End(*stream), v1::ERROR_REASON_NOT_MASTER);
}

// gRPC's own reading of this header ends the process.
TEST_F(SiteServerTest, AHostileHeaderEndsItsConnectionAlone) {
  const Node node = Joined(kNodeA);
  Call call;
  auto stream = Opened(node, call);
  const std::string hostile = RawClient::Call("grpclb_client_stats", "x");
  RawClient stranger(server_->join_port());
  stranger.Send(hostile);
  EXPECT_TRUE(stranger.IsEnded());
  RawClient renegade(server_->nodes_port(), node.certificate_pem,
                     node.key.ToPem());
  renegade.Send(hostile);
  EXPECT_TRUE(renegade.IsEnded());
  EXPECT_TRUE(Reported(*stream));
}

TEST_F(SiteServerTest, AFloodOfFramesEndsItsConnection) {
  RawClient flood(server_->join_port());
  std::string pings;
  for (int i = 0; i < 200; ++i) {
    pings += RawClient::Frame(6, 0, 0, std::string(8, '.'));
  }
  flood.Send(pings);
  EXPECT_TRUE(flood.IsEnded());
}

// One report after the other is no flood.
TEST_F(SiteServerTest, ReportsWithoutAPauseAreTaken) {
  const Node node = Joined(kNodeA);
  Call call;
  auto stream = Opened(node, call);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(Reported(*stream)) << i;
}

TEST_F(SiteServerTest, AStopTellsTheNodes) {
  const Node node = Joined(kNodeA);
  Call call;
  auto stream = Opened(node, call);
  server_->Stop(absl::Seconds(10));
  EXPECT_EQ(End(*stream), v1::ERROR_REASON_OVERLOADED);
}

}  // namespace
}  // namespace mc::agent

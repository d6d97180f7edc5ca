#include "cluster-agent/node/fake_master.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/site_identity.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/rpc/bidi_reactor.h"
#include "common/time/proto_time.h"
#include "common/tls/credentials.h"
#include "common/tls/identity.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr size_t kMaxUnanswered = 16;

}  // namespace

class FakeMaster::ReportsReactor
    : public BidiReactor<v1::StreamNodeReportsRequest,
                         v1::StreamNodeReportsResponse> {
 public:
  ReportsReactor(FakeMaster* fake, std::string serial_hex)
      : BidiReactor(kMaxUnanswered),
        fake_(fake),
        serial_hex_(std::move(serial_hex)) {
    StartReading();
  }

 private:
  void OnMessage(v1::StreamNodeReportsRequest& request) override {
    const Script script = fake_->script();
    v1::StreamNodeReportsResponse response;
    if (request.has_hello()) {
      {
        absl::MutexLock lock(&fake_->mutex_);
        fake_->greetings_.push_back({request.hello(), serial_hex_});
      }
      if (!script.end_at_hello.ok()) return End(script.end_at_hello);
      if (!script.refused_serial.empty() &&
          script.refused_serial == serial_hex_) {
        return End(script.refuse_with);
      }
      v1::NodeWelcome& welcome = *response.mutable_welcome();
      welcome.set_master_instance_id("master-instance");
      welcome.set_master_node_id("master-node");
      *welcome.mutable_report_interval() = mc::ToProto(script.report_interval);
      if (script.answer_hello) Answer(std::move(response));
      return;
    }
    {
      absl::MutexLock lock(&fake_->mutex_);
      fake_->reports_.push_back(request.report());
    }
    if (!script.end_at_report.ok()) return End(script.end_at_report);
    response.mutable_receipt();
    if (script.answer_reports) Answer(std::move(response));
  }

  FakeMaster* const fake_;
  const std::string serial_hex_;
};

class FakeMaster::Service : public v1::SiteService::CallbackService {
 public:
  explicit Service(FakeMaster* fake) : fake_(fake) {}

  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context,
                                 const v1::JoinRequest* request,
                                 v1::JoinResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    {
      absl::MutexLock lock(&fake_->mutex_);
      fake_->joins_.push_back(*request);
    }
    response->set_node_certificate(fake_->Issue(
        request->certificate_signing_request(), request->node_id()));
    response->set_site_ca(fake_->ca_.cert_der());
    response->set_node_address(absl::StrCat(":", fake_->node_port_));
    reactor->Finish(fake_->script().join);
    return reactor;
  }

  grpc::ServerUnaryReactor* RenewNodeCertificate(
      grpc::CallbackServerContext* context,
      const v1::RenewNodeCertificateRequest* request,
      v1::RenewNodeCertificateResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    {
      absl::MutexLock lock(&fake_->mutex_);
      fake_->renewals_.push_back(*request);
    }
    const auto node = PeerIdentityOf(*context->auth_context());
    EXPECT_TRUE(node.ok()) << node.status();
    response->set_node_certificate(
        fake_->Issue(request->certificate_signing_request(), node->id));
    reactor->Finish(fake_->script().renew);
    return reactor;
  }

  grpc::ServerBidiReactor<v1::StreamNodeReportsRequest,
                          v1::StreamNodeReportsResponse>*
  StreamNodeReports(grpc::CallbackServerContext* context) override {
    const auto node = PeerIdentityOf(*context->auth_context());
    EXPECT_TRUE(node.ok()) << node.status();
    return ReportsReactor::Launch(
        std::make_shared<ReportsReactor>(fake_, node->serial_hex));
  }

 private:
  FakeMaster* const fake_;
};

FakeMaster::FakeMaster(const Clock* clock)
    : clock_(clock),
      cluster_id_(RandomUuid()),
      ca_(*CertificateAuthority::Create("site", clock->Now() - absl::Hours(2),
                                        clock->Now() + absl::Hours(9999))),
      secret_(NewJoinToken(ca_.cert_der()).secret),
      service_(std::make_unique<Service>(this)) {
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.dns_sans = {kMasterName};
  spec.server_auth = true;
  spec.not_before = clock->Now() - absl::Hours(1);
  spec.not_after = clock->Now() + absl::Hours(1000);
  ServerTls tls{.cert_chain_pem = absl::StrCat(
                    *CertificateDerToPem(*ca_.Issue(spec)), ca_.cert_pem()),
                .key_pem = key.ToPem(),
                .client_ca_pem = ""};
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", *MakeServerCredentials(tls, *clock),
                           &join_port_);
  tls.client_ca_pem = ca_.cert_pem();
  builder.AddListeningPort("localhost:0", *MakeServerCredentials(tls, *clock),
                           &node_port_);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
}

FakeMaster::~FakeMaster() { Stop(); }

void FakeMaster::Stop() { server_->Shutdown(gpr_time_0(GPR_TIMESPAN)); }

std::string FakeMaster::Issue(const std::string& request_der,
                              const std::string& node_id) const {
  const auto request = ParseCsrDer(request_der);
  EXPECT_TRUE(request.ok()) << request.status();
  IssueSpec spec;
  spec.spki_der = request->spki_der;
  spec.uri_sans = {NodeUri(cluster_id_, node_id)};
  spec.client_auth = true;
  spec.not_before = clock_->Now() - absl::Hours(1);
  spec.not_after = clock_->Now() + script().lifetime;
  return *ca_.Issue(spec);
}

std::string FakeMaster::join_address() const {
  return absl::StrCat("localhost:", join_port_);
}
std::string FakeMaster::node_address() const {
  return absl::StrCat("localhost:", node_port_);
}
std::string FakeMaster::token() const {
  return FormatJoinToken({secret_, Hex(Sha256(ca_.cert_der()))});
}

void FakeMaster::Set(const Script& script) {
  absl::MutexLock lock(&mutex_);
  script_ = script;
}

FakeMaster::Script FakeMaster::script() const {
  absl::MutexLock lock(&mutex_);
  return script_;
}

std::vector<v1::JoinRequest> FakeMaster::Joins() const {
  absl::MutexLock lock(&mutex_);
  return joins_;
}
std::vector<v1::RenewNodeCertificateRequest> FakeMaster::Renewals() const {
  absl::MutexLock lock(&mutex_);
  return renewals_;
}
std::vector<FakeMaster::Greeting> FakeMaster::Greetings() const {
  absl::MutexLock lock(&mutex_);
  return greetings_;
}
std::vector<v1::NodeReport> FakeMaster::Reports() const {
  absl::MutexLock lock(&mutex_);
  return reports_;
}

}  // namespace mc::agent

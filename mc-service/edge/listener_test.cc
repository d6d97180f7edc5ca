#include "mc-service/edge/listener.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/time/clock.h"
#include "common/tls/credentials.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "missioncontrol/v1/agent_service.grpc.pb.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;

// A server that shows a certificate, and a client that trusts it.
class ListenerTest : public testing::Test {
 protected:
  std::shared_ptr<grpc::ServerCredentials> ServerSide() const {
    const PrivateKey key = PrivateKey::GenerateP256();
    IssueSpec spec;
    spec.spki_der = key.PublicSpkiDer();
    spec.ip_sans = {"127.0.0.1"};
    spec.server_auth = true;
    spec.not_before = clock_.Now() - absl::Minutes(1);
    spec.not_after = clock_.Now() + absl::Hours(1);
    return *MakeServerCredentials(
        {.cert_chain_pem = *CertificateDerToPem(*authority_.Issue(spec)),
         .key_pem = key.ToPem(),
         .client_ca_pem = ""});
  }
  std::shared_ptr<grpc::Channel> Connect(const ListenerServer& server) const {
    return grpc::CreateChannel(
        absl::StrCat("127.0.0.1:", server.port()),
        *MakeChannelCredentials({.root_pem = authority_.cert_pem(),
                                 .cert_chain_pem = "",
                                 .key_pem = ""}));
  }

  const RealClock clock_{};
  const CertificateAuthority authority_ =
      *CertificateAuthority::Create("Listeners", clock_.Now() - absl::Hours(1),
                                    clock_.Now() + absl::Hours(1));
};

// Of the contract, and nothing that the policy table names.
class Unnamed : public v1::AgentService::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::GetStatusResponse*) override {
    ++calls;
    return grpc::Status::OK;
  }

  std::atomic<int> calls = 0;
};

TEST_F(ListenerTest, RegisteredMethodThatTheTableDoesNotNameIsDenied) {
  for (const Listener listener :
       {Listener::kEnrollment, Listener::kCluster, Listener::kOperator}) {
    Unnamed unnamed;
    ListenerServer::Options options;
    options.listener = listener;
    options.address = "127.0.0.1:0";
    options.credentials = ServerSide();
    options.reflection = true;
    options.clock = &clock_;
    options.services = {&unnamed};
    options.service_names = {v1::AgentService::service_full_name()};
    const auto server = ListenerServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    (*server)->SetServing(true);
    const auto channel = Connect(**server);
    const auto call = [&](auto stub, auto method, const auto& request,
                          auto& response) {
      grpc::ClientContext context;
      context.set_wait_for_ready(true);
      context.set_deadline(
          absl::ToChronoTime(clock_.Now() + absl::Seconds(60)));
      return ((*stub).*method)(&context, request, &response);
    };
    v1::GetStatusResponse response;
    const grpc::Status denied = call(v1::AgentService::NewStub(channel),
                                     &v1::AgentService::Stub::GetStatus,
                                     v1::GetStatusRequest(), response);
    EXPECT_EQ(denied.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(denied.error_message().substr(0, 18), "METHOD_NOT_ALLOWED");
    EXPECT_EQ(unnamed.calls, 0);
    // The server itself answers.
    grpc::health::v1::HealthCheckResponse health;
    EXPECT_TRUE(call(grpc::health::v1::Health::NewStub(channel),
                     &grpc::health::v1::Health::Stub::Check,
                     grpc::health::v1::HealthCheckRequest(), health)
                    .ok());
  }
}

TEST_F(ListenerTest, CallThatIsNotAdmittedEndsAtTheGate) {
  Unnamed service;
  ListenerServer::Options options;
  options.listener = Listener::kCluster;
  options.address = "127.0.0.1:0";
  options.credentials = ServerSide();
  options.clock = &clock_;
  options.admit = [](const grpc::AuthContext&) { return false; };
  options.services = {&service};
  options.service_names = {v1::AgentService::service_full_name()};
  const auto server = ListenerServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = grpc::health::v1::Health::NewStub(Connect(**server));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(absl::ToChronoTime(clock_.Now() + absl::Seconds(60)));
  grpc::health::v1::HealthCheckResponse health;
  const grpc::Status refused =
      stub->Check(&context, grpc::health::v1::HealthCheckRequest(), &health);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message().substr(0, 12), "RATE_LIMITED");
}

}  // namespace
}  // namespace mc::service

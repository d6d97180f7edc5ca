#include "mc-service/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "common/crypto/certificate.h"
#include "common/files/files.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "mc-service/edge/policy.h"
#include "mc-service/testing/raw_client.h"
#include "mc-service/testing/service_folder.h"

namespace mc::service {
namespace {

using testing::ClientIdentity;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::ServiceFolder;

constexpr char kClusterId[] = "0b9f3c52-6a0e-4d0e-9f64-1f6f3f2f0a11";
constexpr char kRevokedId[] = "5d2a7d2e-33a5-4a5e-8f0e-6f1f7a9b0c22";
constexpr char kPendingId[] = "2f9d1c3a-4b6e-4d7f-8a90-1b2c3d4e5f44";
constexpr char kUnknownId[] = "7c1e9a4b-90b2-4c57-8a55-2d3e4f5a6b33";

absl::Status Seed(const std::string& tls_key_digest, Writer& writer) {
  Account account;
  account.id = "account";
  account.name = "Account";
  absl::Status status = writer.InsertAccount(account);
  License license;
  license.id = "license";
  license.account_id = account.id;
  license.name = "License";
  license.key_digest = std::string(32, 'k');
  status.Update(writer.InsertLicense(license));
  Cluster cluster;
  cluster.id = kClusterId;
  cluster.license_id = license.id;
  cluster.tls_key_digest = tls_key_digest;
  // Later than those of keys that are not known.
  cluster.certificate_not_after = RealClock().Now() + absl::Hours(24 * 365);
  status.Update(writer.PutCluster(cluster));
  cluster.id = kRevokedId;
  cluster.registration = v1::REGISTRATION_STATUS_REVOKED;
  status.Update(writer.PutCluster(cluster));
  cluster.id = kPendingId;
  cluster.registration = v1::REGISTRATION_STATUS_PENDING;
  status.Update(writer.PutCluster(cluster));
  status.Update(writer.PutOperator({.name = "viewer", .role = Role::kViewer}));
  return status;
}

// One running service for all tests of this file; each looks at it only from
// outside.
class RunningService {
 public:
  RunningService() : cluster_(folder_.Cluster(kClusterId)) {
    const auto certificate = ParseCertificatePem(cluster_.certificate);
    EXPECT_TRUE(certificate.ok());
    const absl::Status seeded =
        folder_.Write(std::bind_front(Seed, certificate->spki_sha256));
    EXPECT_TRUE(seeded.ok()) << seeded;
    Configuration configuration = folder_.Load();
    config::Listeners* listeners = configuration.values.mutable_listeners();
    listeners->mutable_enrollment()->set_reflection(true);
    listeners->mutable_cluster()->set_reflection(true);
    Start(configuration);
  }

  const ServiceFolder& folder() const { return folder_; }
  // The key that is registered for kClusterId.
  const ClientIdentity& cluster() const { return cluster_; }

  int PortOf(Listener listener) const {
    switch (listener) {
      case Listener::kEnrollment:
        return server_->ports().enrollment;
      case Listener::kCluster:
        return server_->ports().cluster;
      default:
        return server_->ports().operator_;
    }
  }

  // With the identity that the listener expects.
  std::shared_ptr<grpc::Channel> Connect(Listener listener) const {
    const ClientIdentity identity =
        listener == Listener::kCluster ? cluster_ : folder_.Admin();
    return folder_.Connect(PortOf(listener), listener == Listener::kEnrollment
                                                 ? nullptr
                                                 : &identity);
  }

  absl::Status Call(Listener listener, const ClientIdentity& identity,
                    const std::string& method) const {
    return FromGrpc(RawClient(folder_.Connect(PortOf(listener), &identity))
                        .Call(method, "")
                        .status);
  }

 private:
  void Start(const Configuration& configuration) {
    auto server =
        Server::Start({.configuration = configuration, .clock = &clock_});
    if (!server.ok()) GTEST_FAIL() << server.status();
    server_ = *std::move(server);
  }

  RealClock clock_;
  ServiceFolder folder_;
  const ClientIdentity cluster_;
  std::unique_ptr<Server> server_;
};

class ServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { service_ = new RunningService; }
  static void TearDownTestSuite() {
    delete service_;
    service_ = nullptr;
  }

  static RunningService* service_;
};
RunningService* ServerTest::service_ = nullptr;

constexpr Listener kListeners[] = {Listener::kEnrollment, Listener::kCluster,
                                   Listener::kOperator};

bool DeniedByTable(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::PERMISSION_DENIED &&
         status.error_message().find("METHOD_NOT_ALLOWED") != std::string::npos;
}

TEST_F(ServerTest, WhatIsRegisteredIsWhatTheTableNames) {
  for (Listener listener : kListeners) {
    SCOPED_TRACE(ListenerName(listener));
    std::set<std::string> named;
    for (const MethodPolicy& policy : Policies()) {
      if (FindPolicy(policy.full_method, listener, true) != nullptr) {
        named.insert(std::string(policy.full_method));
      }
    }
    const auto registered =
        RawClient(service_->Connect(listener)).ListMethods();
    ASSERT_TRUE(registered.ok()) << registered.status();
    EXPECT_EQ(*registered, named);
  }
}

TEST_F(ServerTest, MethodAnswersOnItsListenerAndOnNoOther) {
  for (Listener listener : kListeners) {
    RawClient client(service_->Connect(listener));
    for (const MethodPolicy& policy : Policies()) {
      SCOPED_TRACE(ListenerName(listener));
      SCOPED_TRACE(policy.full_method);
      const auto answer = client.Call(std::string(policy.full_method), "",
                                      absl::Milliseconds(500), 1);
      const bool served =
          FindPolicy(policy.full_method, listener, true) != nullptr;
      EXPECT_EQ(DeniedByTable(answer.status), !served)
          << answer.status.error_message();
      if (answer.status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
        // Registered, and the contract says that it is not built yet.
        EXPECT_EQ(ReasonOf(FromGrpc(answer.status)),
                  v1::ERROR_REASON_NOT_SUPPORTED_YET);
      }
    }
  }
}

TEST_F(ServerTest, ClientsOfNewerReflectionAreSentToTheOlder) {
  for (Listener listener : kListeners) {
    RawClient client(service_->Connect(listener));
    const auto answer = client.Call(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "");
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
}

TEST_F(ServerTest, MethodThatNobodyRegisteredIsDenied) {
  for (Listener listener : kListeners) {
    RawClient client(service_->Connect(listener));
    for (const char* method :
         {"/missioncontrol.v1.ClusterService/Nothing", "/a.B/C",
          "/missioncontrol.v1.AgentService/GetStatus",
          "/grpc.channelz.v1.Channelz/GetServers"}) {
      EXPECT_TRUE(DeniedByTable(client.Call(method, "").status)) << method;
    }
  }
}

TEST_F(ServerTest, HandshakeWithoutClientCertificateIsRefused) {
  for (Listener listener : {Listener::kCluster, Listener::kOperator}) {
    RawClient client(
        service_->folder().Connect(service_->PortOf(listener), nullptr));
    EXPECT_EQ(
        client.Call("/grpc.health.v1.Health/Check", "").status.error_code(),
        grpc::StatusCode::UNAVAILABLE)
        << ListenerName(listener);
  }
}

TEST_F(ServerTest, HandshakeWithTheOtherListenersCertificateIsRefused) {
  const ServiceFolder& folder = service_->folder();
  EXPECT_EQ(service_
                ->Call(Listener::kOperator, service_->cluster(),
                       "/grpc.health.v1.Health/Check")
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(service_
                ->Call(Listener::kCluster, folder.Admin(),
                       "/grpc.health.v1.Health/Check")
                .code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(ServerTest, ClusterMustBeRegisteredAndNotRevoked) {
  const ServiceFolder& folder = service_->folder();
  constexpr char kMethod[] = "/missioncontrol.v1.ClusterService/FetchSettings";
  const auto reason = [&](const ClientIdentity& identity) {
    return ReasonOf(service_->Call(Listener::kCluster, identity, kMethod));
  };
  EXPECT_EQ(reason(service_->cluster()), v1::ERROR_REASON_NOT_SUPPORTED_YET);
  EXPECT_EQ(reason(folder.Cluster(kUnknownId)),
            v1::ERROR_REASON_IDENTITY_UNKNOWN);
  EXPECT_EQ(reason(folder.Cluster(kPendingId)),
            v1::ERROR_REASON_REGISTRATION_PENDING);
}

TEST_F(ServerTest, HandshakeOfARevokedOrNamelessClusterIsRefused) {
  const ServiceFolder& folder = service_->folder();
  for (const char* id : {kRevokedId, ""}) {
    EXPECT_EQ(service_
                  ->Call(Listener::kCluster, folder.Cluster(id),
                         "/grpc.health.v1.Health/Check")
                  .code(),
              absl::StatusCode::kUnavailable)
        << id;
  }
}

TEST_F(ServerTest, HostileMethodPathsReachNoHandler) {
  const std::string good = "/missioncontrol.v1.ClusterService/CheckLicense";
  for (Listener listener : kListeners) {
    RawClient client(service_->Connect(listener));
    for (const std::string& method :
         {std::string("/"), std::string("//"), std::string("/%2f"),
          std::string("/missioncontrol.v1.ClusterService"),
          std::string("/missioncontrol.v1.ClusterService/"), good + "/",
          good + " ", good + "?x=1", "/" + good, good.substr(1),
          std::string("/missioncontrol.v1.clusterservice/checklicense"),
          std::string("/../missioncontrol.v1.ClusterService/CheckLicense"),
          "/" + std::string(4000, 'a')}) {
      const grpc::Status status = client.Call(method, "").status;
      EXPECT_TRUE(DeniedByTable(status))
          << ListenerName(listener) << " " << method << " "
          << status.error_code() << " " << status.error_message();
    }
  }
}

TEST_F(ServerTest, KeyThatIsNotTheRegisteredOneIsRefused) {
  const ClientIdentity other = service_->folder().Cluster(kClusterId);
  EXPECT_EQ(ReasonOf(service_->Call(
                Listener::kCluster, other,
                "/missioncontrol.v1.ClusterService/CheckLicense")),
            v1::ERROR_REASON_MUST_REENROLL);
}

TEST_F(ServerTest, OperatorsRoleDecides) {
  const ServiceFolder& folder = service_->folder();
  const auto reason = [&](const ClientIdentity& identity, const char* method) {
    return ReasonOf(service_->Call(
        Listener::kOperator, identity,
        std::string("/missioncontrol.v1.FleetService/") + method));
  };
  const ClientIdentity viewer = folder.Operator("viewer");
  EXPECT_EQ(reason(viewer, "ListRollouts"), v1::ERROR_REASON_NOT_SUPPORTED_YET);
  EXPECT_EQ(reason(viewer, "CreateRollout"),
            v1::ERROR_REASON_ROLE_NOT_SUFFICIENT);
  for (const char* method :
       {"RevokeCluster", "CreateEnrollmentToken", "DeleteEnrollmentToken",
        "ApproveRegistration", "CreateOperator", "UpdateOperator",
        "DeleteOperator"}) {
    EXPECT_EQ(reason(viewer, method), v1::ERROR_REASON_ROLE_NOT_SUFFICIENT)
        << method;
  }
  EXPECT_EQ(reason(viewer, "ListOperators"), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(reason(viewer, "IssueOperatorCertificate"),
            v1::ERROR_REASON_CSR_MALFORMED);
  EXPECT_EQ(reason(folder.Admin(), "CreateRollout"),
            v1::ERROR_REASON_NOT_SUPPORTED_YET);
  EXPECT_EQ(reason(folder.Operator("stranger"), "ListRollouts"),
            v1::ERROR_REASON_IDENTITY_UNKNOWN);
}

grpc::health::v1::HealthCheckResponse::ServingStatus HealthOf(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = grpc::health::v1::Health::NewStub(channel)->Check(
      &context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
}

TEST_F(ServerTest, HealthIsToldForEachService) {
  const std::map<Listener, std::string> services = {
      {Listener::kEnrollment, "missioncontrol.v1.EnrollmentService"},
      {Listener::kCluster, "missioncontrol.v1.ClusterService"},
      {Listener::kOperator, "missioncontrol.v1.FleetService"}};
  for (const auto& [listener, name] : services) {
    const auto channel = service_->Connect(listener);
    EXPECT_EQ(HealthOf(channel, name),
              grpc::health::v1::HealthCheckResponse::SERVING);
    EXPECT_EQ(HealthOf(channel, ""),
              grpc::health::v1::HealthCheckResponse::SERVING);
  }
}

TEST(Server, ReflectionIsOnTheOperatorsListenerOnlyByDefault) {
  RealClock clock;
  ServiceFolder folder;
  auto server =
      Server::Start({.configuration = folder.Load(), .clock = &clock});
  ASSERT_TRUE(server.ok()) << server.status();
  const ClientIdentity admin = folder.Admin();
  const Ports& ports = (*server)->ports();
  EXPECT_TRUE(
      RawClient(folder.Connect(ports.operator_, &admin)).ListServices().ok());
  const auto refused =
      RawClient(folder.Connect(ports.enrollment)).ListServices();
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("METHOD_NOT_ALLOWED"));
}

TEST(Server, PortsFileIsThereWhileTheServiceRuns) {
  RealClock clock;
  ServiceFolder folder;
  auto server =
      Server::Start({.configuration = folder.Load(), .clock = &clock});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto ports = ReadPorts(folder.state().PortsFile());
  ASSERT_TRUE(ports.ok()) << ports.status();
  EXPECT_GT(ports->enrollment, 0);
  EXPECT_EQ(ports->cluster, (*server)->ports().cluster);
  (*server)->Drain();
  EXPECT_FALSE(FileExists(folder.state().PortsFile()));
}

TEST(Server, PortThatIsTakenIsSaidSo) {
  RealClock clock;
  ServiceFolder first;
  auto server = Server::Start({.configuration = first.Load(), .clock = &clock});
  ASSERT_TRUE(server.ok()) << server.status();
  ServiceFolder second;
  Configuration configuration = second.Load();
  configuration.values.mutable_listeners()->mutable_cluster()->set_address(
      "127.0.0.1:" + std::to_string((*server)->ports().cluster));
  const auto refused =
      Server::Start({.configuration = configuration, .clock = &clock});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("listeners.cluster.address"));
}

TEST(Server, DrainTellsWatchersAndEndsTheirCalls) {
  RealClock clock;
  ServiceFolder folder;
  auto server =
      Server::Start({.configuration = folder.Load(), .clock = &clock});
  ASSERT_TRUE(server.ok()) << server.status();
  const ClientIdentity admin = folder.Admin();
  const auto channel = folder.Connect((*server)->ports().operator_, &admin);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("missioncontrol.v1.FleetService");
  auto watch =
      grpc::health::v1::Health::NewStub(channel)->Watch(&context, request);
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);

  std::thread drain([&] { (*server)->Drain(); });
  EXPECT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(),
            grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
  drain.join();
  EXPECT_FALSE(watch->Finish().ok());
  RawClient client(channel);
  EXPECT_FALSE(client.Call("/grpc.health.v1.Health/Check", "").status.ok());
}

}  // namespace
}  // namespace mc::service

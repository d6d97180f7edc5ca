// The life of a cluster's identity against the whole service, over TLS.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/crypto/license_key.h"
#include "common/crypto/possession.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/server.h"
#include "mc-service/testing/service_folder.h"
#include "missioncontrol/v1/cluster_service.grpc.pb.h"
#include "missioncontrol/v1/enrollment_service.grpc.pb.h"
#include "missioncontrol/v1/fleet_service.grpc.pb.h"

namespace mc::service {
namespace {

namespace v1 = missioncontrol::v1;
using testing::ClientIdentity;
using testing::ServiceFolder;

// A test that hangs fails in the end.
std::chrono::system_clock::time_point Soon() {
  return absl::ToChronoTime(RealClock().Now() + absl::Seconds(30));
}

// One registered cluster.
class ServerIdentityTest : public ::testing::Test {
 protected:
  struct Held {
    std::string certificate;
    std::string key_pem;
    std::string password;
  };

  void SetUp() override {
    const absl::Status seeded = folder_.Write([this](Writer& writer) {
      Account account;
      account.id = "account";
      account.name = "Account";
      absl::Status status = writer.InsertAccount(account);
      License license;
      license.id = "license";
      license.account_id = account.id;
      license.name = "License";
      license.key_digest = LicenseKeyDigest(license_key_);
      license.key_hint = LicenseKeyLastGroup(license_key_);
      license.created_at = license.starts_at = clock_.Now() - absl::Hours(24);
      status.Update(writer.InsertLicense(license));
      return status;
    });
    ASSERT_TRUE(seeded.ok()) << seeded;
    auto server =
        Server::Start({.configuration = folder_.Load(), .clock = &clock_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    enrollment_ = v1::EnrollmentService::NewStub(
        folder_.Connect(server_->ports().enrollment));
    const ClientIdentity admin = folder_.Admin();
    fleet_ = v1::FleetService::NewStub(
        folder_.Connect(server_->ports().operator_, &admin));
    own_ = Register();
  }

  template <typename Stub, typename Request, typename Response>
  static absl::Status Call(Stub& stub,
                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                        const Request&,
                                                        Response*),
                           const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    return FromGrpc((stub.*method)(&context, request, &response));
  }

  Held Register() {
    const PrivateKey key = PrivateKey::GenerateP256();
    v1::RegisterRequest request;
    request.set_license_key(license_key_);
    request.set_cluster_id(cluster_id_);
    request.set_certificate_signing_request(BuildCsrDer(key));
    request.set_site_public_key(PrivateKey::GenerateEd25519().Ed25519Public());
    v1::RegisterResponse response;
    const absl::Status status =
        Call(*enrollment_, &v1::EnrollmentService::Stub::Register, request,
             response);
    EXPECT_TRUE(status.ok()) << status;
    return {response.cluster_certificate(), key.ToPem(), response.password()};
  }

  std::unique_ptr<v1::ClusterService::Stub> Connect(const Held& with) {
    const ClientIdentity identity{*CertificateDerToPem(with.certificate),
                                  with.key_pem};
    return v1::ClusterService::NewStub(
        folder_.Connect(server_->ports().cluster, &identity));
  }

  absl::Status CheckLicense(const Held& with,
                            v1::LicenseStatus* license_status = nullptr) {
    v1::CheckLicenseResponse response;
    const absl::Status status =
        Call(*Connect(with), &v1::ClusterService::Stub::CheckLicense,
             v1::CheckLicenseRequest(), response);
    if (license_status != nullptr) {
      *license_status = response.license().status();
    }
    return status;
  }

  absl::StatusOr<Held> Renew(const Held& with, const std::string& instance) {
    const PrivateKey key = PrivateKey::GenerateP256();
    v1::RenewCertificateRequest request;
    request.set_certificate_signing_request(BuildCsrDer(key));
    request.set_agent_instance_id(instance);
    v1::RenewCertificateResponse response;
    const absl::Status status =
        Call(*Connect(with), &v1::ClusterService::Stub::RenewCertificate,
             request, response);
    if (!status.ok()) return status;
    EXPECT_EQ(response.ca_chain_size(), 1);
    return Held{response.cluster_certificate(), key.ToPem(),
                response.password()};
  }

  absl::StatusOr<Held> Recover(const Held& with) {
    const PrivateKey key = PrivateKey::GenerateP256();
    v1::RecoverCertificateRequest request;
    request.set_user_name("cluster-" + cluster_id_);
    request.set_password(with.password);
    request.set_certificate_signing_request(BuildCsrDer(key));
    request.set_previous_certificate(with.certificate);
    request.set_previous_key_signature(
        ProvePossession(*PrivateKey::FromPem(with.key_pem),
                        request.certificate_signing_request()));
    v1::RecoverCertificateResponse response;
    const absl::Status status =
        Call(*enrollment_, &v1::EnrollmentService::Stub::RecoverCertificate,
             request, response);
    if (!status.ok()) return status;
    return Held{response.cluster_certificate(), key.ToPem(),
                response.password()};
  }

  v1::StreamHeartbeatsRequest Beat(const std::string& instance) const {
    v1::StreamHeartbeatsRequest beat;
    beat.set_cluster_id(cluster_id_);
    beat.set_node_id("node-1");
    beat.set_source_type(v1::SOURCE_TYPE_SERVER);
    beat.set_agent_instance_id(instance);
    return beat;
  }

  absl::Status OneBeat(const Held& with, const std::string& instance) {
    auto stub = Connect(with);
    grpc::ClientContext context;
    context.set_deadline(Soon());
    auto stream = stub->StreamHeartbeats(&context);
    v1::StreamHeartbeatsResponse response;
    if (stream->Write(Beat(instance)) && stream->Read(&response)) {
      stream->WritesDone();
    }
    return FromGrpc(stream->Finish());
  }

  RealClock clock_;
  const std::string license_key_ = GenerateLicenseKey();
  const std::string cluster_id_ = RandomUuid();
  ServiceFolder folder_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::EnrollmentService::Stub> enrollment_;
  std::unique_ptr<v1::FleetService::Stub> fleet_;
  Held own_;
};

TEST_F(ServerIdentityTest, RenewedRecoveredAndTheOldOnesRefused) {
  const auto renewed = Renew(own_, "agent-1");
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_TRUE(CheckLicense(own_).ok()) << "the new one was not used yet";
  EXPECT_TRUE(CheckLicense(*renewed).ok());
  const absl::Status replaced = CheckLicense(own_);
  EXPECT_TRUE(absl::IsPermissionDenied(replaced)) << replaced;
  EXPECT_EQ(ReasonOf(replaced), v1::ERROR_REASON_MUST_RECOVER);
  const auto recovered = Recover(*renewed);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(CheckLicense(*recovered).ok());
  EXPECT_EQ(ReasonOf(CheckLicense(*renewed)), v1::ERROR_REASON_MUST_RECOVER);
}

TEST_F(ServerIdentityTest, RevokedClusterLosesItsOpenStreamAtOnce) {
  auto stub = Connect(own_);
  grpc::ClientContext context;
  context.set_deadline(Soon());
  auto stream = stub->StreamHeartbeats(&context);
  v1::StreamHeartbeatsResponse beat;
  ASSERT_TRUE(stream->Write(Beat("agent-1")));
  ASSERT_TRUE(stream->Read(&beat));
  v1::RevokeClusterRequest request;
  request.set_cluster_id(cluster_id_);
  v1::RevokeClusterResponse response;
  ASSERT_TRUE(
      Call(*fleet_, &v1::FleetService::Stub::RevokeCluster, request, response)
          .ok());
  EXPECT_FALSE(stream->Read(&beat));
  const absl::Status end = FromGrpc(stream->Finish());
  EXPECT_TRUE(absl::IsPermissionDenied(end)) << end;
  EXPECT_EQ(ReasonOf(end), v1::ERROR_REASON_IDENTITY_REVOKED);
  EXPECT_EQ(ReasonOf(Recover(own_).status()),
            v1::ERROR_REASON_IDENTITY_REVOKED);
}

TEST_F(ServerIdentityTest, OperatorAdoptsOneOfTwoAgents) {
  // They beat in turn.
  for (const char* agent : {"agent-1", "agent-2", "agent-1"}) {
    const absl::Status beat = OneBeat(own_, agent);
    ASSERT_TRUE(beat.ok()) << beat;
  }
  const auto copys = Renew(own_, "agent-2");
  ASSERT_TRUE(copys.ok()) << copys.status();
  v1::AdoptClusterRequest request;
  request.set_cluster_id(cluster_id_);
  request.set_agent_instance_id("agent-9");
  v1::AdoptClusterResponse response;
  EXPECT_EQ(ReasonOf(Call(*fleet_, &v1::FleetService::Stub::AdoptCluster,
                          request, response)),
            v1::ERROR_REASON_UNKNOWN_RESOURCE);
  request.set_agent_instance_id("agent-2");
  absl::Status adopted =
      Call(*fleet_, &v1::FleetService::Stub::AdoptCluster, request, response);
  ASSERT_TRUE(adopted.ok()) << adopted;

  EXPECT_EQ(ReasonOf(Renew(own_, "agent-1").status()),
            v1::ERROR_REASON_CLONE_SUSPECTED);
  auto stub = Connect(own_);
  grpc::ClientContext context;
  context.set_deadline(Soon());
  auto stream = stub->StreamHeartbeats(&context);
  v1::StreamHeartbeatsResponse beat;
  ASSERT_TRUE(stream->Write(Beat("agent-2")));
  ASSERT_TRUE(stream->Read(&beat));
  ASSERT_EQ(beat.directives_size(), 1);
  EXPECT_EQ(
      beat.directives(0).certificate_renewal_requested().agent_instance_id(),
      "agent-2");
  const auto chosen = Renew(own_, "agent-2");
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  ASSERT_TRUE(CheckLicense(*chosen).ok());
  EXPECT_EQ(ReasonOf(CheckLicense(own_)), v1::ERROR_REASON_MUST_REENROLL);
  EXPECT_EQ(ReasonOf(Recover(own_).status()), v1::ERROR_REASON_MUST_REENROLL);
  v1::GetClusterRequest get;
  get.set_cluster_id(cluster_id_);
  v1::GetClusterResponse shown;
  ASSERT_TRUE(
      Call(*fleet_, &v1::FleetService::Stub::GetCluster, get, shown).ok());
  EXPECT_FALSE(shown.cluster().has_clone_suspected_at());
  EXPECT_EQ(shown.cluster().clone_instance_ids_size(), 0);
}

TEST_F(ServerIdentityTest, KeysThatATakeoverLostMustReenroll) {
  v1::ReopenRegistrationRequest request;
  request.set_cluster_id(cluster_id_);
  v1::ReopenRegistrationResponse response;
  ASSERT_TRUE(Call(*fleet_, &v1::FleetService::Stub::ReopenRegistration,
                   request, response)
                  .ok());
  EXPECT_TRUE(CheckLicense(own_).ok()) << "until other keys take over";
  const Held taker = Register();
  EXPECT_TRUE(CheckLicense(taker).ok());
  EXPECT_EQ(ReasonOf(CheckLicense(own_)), v1::ERROR_REASON_MUST_REENROLL);
  EXPECT_EQ(ReasonOf(Recover(own_).status()), v1::ERROR_REASON_MUST_REENROLL);
}

// What the customer owes does not depend on being allowed to use more.
TEST_F(ServerIdentityTest, LicenseThatIsOverClosesNoIdentity) {
  const auto check = [this](v1::LicenseStatus expected,
                            v1::ErrorReason reason) {
    v1::LicenseStatus license_status = v1::LICENSE_STATUS_UNSPECIFIED;
    const absl::Status checked = CheckLicense(own_, &license_status);
    EXPECT_TRUE(checked.ok()) << checked;
    EXPECT_EQ(license_status, expected);
    EXPECT_TRUE(OneBeat(own_, "agent-1").ok());
    const auto renewed = Renew(own_, "agent-1");
    ASSERT_TRUE(renewed.ok()) << renewed.status();
    own_ = *renewed;
    ASSERT_TRUE(CheckLicense(own_).ok());

    auto stub = Connect(own_);
    grpc::ClientContext context;
    context.set_deadline(Soon());
    auto stream = stub->StreamReports(&context);
    v1::StreamReportsRequest hello;
    hello.mutable_hello()->set_cluster_id(cluster_id_);
    hello.mutable_hello()->set_agent_instance_id("agent-1");
    for (const v1::Lane lane : {v1::LANE_BILLING, v1::LANE_HEALTH}) {
      v1::LaneEpoch* epoch = hello.mutable_hello()->add_epochs();
      epoch->set_lane(lane);
      epoch->set_epoch(1);
    }
    v1::StreamReportsResponse answer;
    ASSERT_TRUE(stream->Write(hello));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_TRUE(answer.has_welcome());
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());

    v1::CheckUpdatesResponse updates;
    absl::Status refused = Call(*stub, &v1::ClusterService::Stub::CheckUpdates,
                                v1::CheckUpdatesRequest(), updates);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_EQ(ReasonOf(refused), reason);
    v1::InstallRequest install;
    install.set_license_key(license_key_);
    install.set_agent_version("1.0");
    install.set_product_version("1.0");
    v1::InstallResponse installed;
    refused = Call(*enrollment_, &v1::EnrollmentService::Stub::Install, install,
                   installed);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_EQ(ReasonOf(refused), reason);
  };
  v1::UpdateLicenseRequest end;
  end.set_license_id("license");
  end.mutable_ends_at()->set_seconds(
      absl::ToUnixSeconds(clock_.Now() - absl::Hours(1)));
  v1::UpdateLicenseResponse ended;
  absl::Status changed =
      Call(*fleet_, &v1::FleetService::Stub::UpdateLicense, end, ended);
  ASSERT_TRUE(changed.ok()) << changed;
  check(v1::LICENSE_STATUS_EXPIRED, v1::ERROR_REASON_LICENSE_EXPIRED);

  v1::SuspendLicenseRequest suspend;
  suspend.set_license_id("license");
  v1::SuspendLicenseResponse suspended;
  ASSERT_TRUE(
      Call(*fleet_, &v1::FleetService::Stub::SuspendLicense, suspend, suspended)
          .ok());
  check(v1::LICENSE_STATUS_SUSPENDED, v1::ERROR_REASON_LICENSE_SUSPENDED);

  v1::RevokeLicenseRequest revoke;
  revoke.set_license_id("license");
  v1::RevokeLicenseResponse revoked;
  ASSERT_TRUE(
      Call(*fleet_, &v1::FleetService::Stub::RevokeLicense, revoke, revoked)
          .ok());
  check(v1::LICENSE_STATUS_REVOKED, v1::ERROR_REASON_LICENSE_REVOKED);
}

}  // namespace
}  // namespace mc::service

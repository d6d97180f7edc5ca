// EnrollmentService against a real server, without TLS.
#include "mc-service/api/enrollment_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/crypto/authority.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/crypto/license_key.h"
#include "common/executor/executor.h"
#include "common/metrics/metrics.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "mc-service/api/call.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
#include "mc-service/domain/exchanges/exchange_log.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/edge/guard.h"
#include "mc-service/store/fake/fake_store.h"

namespace mc::service {
namespace {

using testing::HasSubstr;
using testing::Not;

// A test that hangs fails in the end.
std::chrono::system_clock::time_point Soon() {
  return absl::ToChronoTime(RealClock().Now() + absl::Seconds(30));
}

class EnrollmentServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    License license = SeedLicense(clock_.Now());
    license.key_digest = LicenseKeyDigest(key_);
    license.key_hint = LicenseKeyLastGroup(key_);
    ASSERT_TRUE(Seed(store_, license, {}).ok());
    watch_ = *exchanges_.Subscribe("", [] {});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(
        "127.0.0.1:0", grpc::experimental::LocalServerCredentials(LOCAL_TCP),
        &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    stub_ = v1::EnrollmentService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                            grpc::experimental::LocalCredentials(LOCAL_TCP)));
  }

  void TearDown() override {
    server_->Shutdown(Soon());
    executor_.Shutdown();
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::EnrollmentService::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    return FromGrpc((stub_.get()->*method)(&context, request, &response));
  }

  // What the last exchange looked like to who watches.
  v1::ExchangeRecord LastRecord() {
    v1::ExchangeRecord last;
    while (auto next = watch_->Next()) last = next->record();
    return last;
  }

  void SetPolicy(v1::EnrollmentPolicy policy) {
    const absl::Status written =
        store_.WriteAndWait([&](Writer& writer) -> absl::Status {
          auto license = writer.GetLicense("license-1");
          if (!license.ok()) return license.status();
          license->enrollment_policy = policy;
          return writer.UpdateLicense(*license, clock_.Now());
        });
    ASSERT_TRUE(written.ok()) << written;
  }

  v1::RegisterRequest Registration() const {
    v1::RegisterRequest request;
    request.set_license_key(key_);
    request.set_cluster_id(cluster_id_);
    request.set_certificate_signing_request(
        BuildCsrDer(PrivateKey::GenerateP256()));
    request.set_site_public_key(PrivateKey::GenerateEd25519().Ed25519Public());
    return request;
  }

  const std::string key_ = GenerateLicenseKey();
  const std::string cluster_id_ = RandomUuid();
  SimulatedClock clock_{absl::FromUnixSeconds(1'777'888'800)};
  FakeStore store_;
  Executor executor_{2, 100};
  Metrics metrics_;
  RpcMetrics rpc_metrics_{&metrics_};
  ExchangeLog exchanges_{{.store = &store_}};
  std::shared_ptr<ExchangeWatch> watch_;
  Guard guard_{{}};
  absl::Status may_wait_;
  CallRunner runner_{{.executor = &executor_,
                      .guard = &guard_,
                      .metrics = &rpc_metrics_,
                      .exchanges = &exchanges_,
                      .clock = &clock_,
                      .may_wait = [this](std::string_view peer) {
                        EXPECT_THAT(std::string(peer), HasSubstr("127.0.0.1:"));
                        return may_wait_;
                      }}};
  ClusterDirectory directory_{{.store = &store_, .clock = &clock_}};
  const CertificateAuthority authority_ =
      *CertificateAuthority::Create("Clusters", clock_.Now() - absl::Hours(1),
                                    clock_.Now() + absl::Hours(24 * 3650));
  const DocumentSigner signer_{PrivateKey::GenerateEd25519()};
  const EnrollmentDesk desk_{{.store = &store_,
                              .directory = &directory_,
                              .authority = &authority_,
                              .signer = &signer_,
                              .clock = &clock_,
                              .trust_domain = "test.example"}};
  RenewalDesk renewals_{
      {.store = &store_,
       .directory = &directory_,
       .clock = &clock_,
       .rules = {.authority = &authority_, .trust_domain = "test.example"},
       .on_clone = nullptr,
       .on_adopted = nullptr,
       .on_refused = nullptr}};
  EnrollmentService service_{
      {.runner = &runner_, .desk = &desk_, .renewals = &renewals_}};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::EnrollmentService::Stub> stub_;
};

TEST_F(EnrollmentServiceTest, InstallAnswersAndIsRecordedWithAMaskedKey) {
  v1::InstallRequest request;
  request.set_license_key(key_);
  request.set_agent_version("1.0");
  request.set_product_version("2.0");
  v1::InstallResponse response;
  const absl::Status status =
      Call(&v1::EnrollmentService::Stub::Install, request, response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.account_name(), "Acme");
  EXPECT_EQ(response.license_name(), "Production");
  const v1::ExchangeRecord record = LastRecord();
  EXPECT_EQ(record.exchange(), v1::EXCHANGE_INSTALLATION);
  EXPECT_EQ(record.result(), "OK");
  EXPECT_EQ(record.summary(),
            absl::StrCat("agent 1.0, product 2.0, key ", MaskLicenseKey(key_),
                         ", account Acme, license Production"));
  EXPECT_THAT(record.summary(), Not(HasSubstr(key_)));
}

TEST_F(EnrollmentServiceTest, RegisterAnswersAndIsRecordedWithoutSecrets) {
  v1::RegisterResponse response;
  const absl::Status status =
      Call(&v1::EnrollmentService::Stub::Register, Registration(), response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.status(), v1::REGISTRATION_STATUS_REGISTERED);
  EXPECT_FALSE(response.cluster_certificate().empty());
  const v1::ExchangeRecord record = LastRecord();
  EXPECT_EQ(record.exchange(), v1::EXCHANGE_REGISTRATION);
  EXPECT_THAT(record.summary(), HasSubstr(cluster_id_));
  EXPECT_THAT(record.ShortDebugString(), Not(HasSubstr(key_)));
  EXPECT_THAT(record.ShortDebugString(), Not(HasSubstr(response.password())));
}

TEST_F(EnrollmentServiceTest, ClusterThatWaitsIsToldSoAndRecorded) {
  SetPolicy(v1::ENROLLMENT_POLICY_APPROVE);
  v1::RegisterResponse response;
  const absl::Status status =
      Call(&v1::EnrollmentService::Stub::Register, Registration(), response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.status(), v1::REGISTRATION_STATUS_PENDING);
  EXPECT_TRUE(response.cluster_certificate().empty());
  const v1::ExchangeRecord record = LastRecord();
  EXPECT_EQ(record.result(), "OK");
  EXPECT_THAT(record.summary(), HasSubstr("waits for its approval"));
}

TEST_F(EnrollmentServiceTest, RefusedTokenIsRecordedWithoutTheToken) {
  SetPolicy(v1::ENROLLMENT_POLICY_TOKEN);
  v1::RegisterRequest request = Registration();
  request.set_enrollment_token("MCE-guessed");
  v1::RegisterResponse response;
  const absl::Status status =
      Call(&v1::EnrollmentService::Stub::Register, request, response);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_ENROLLMENT_TOKEN_REFUSED);
  const v1::ExchangeRecord record = LastRecord();
  EXPECT_EQ(record.result(), "PERMISSION_DENIED/ENROLLMENT_TOKEN_REFUSED");
  EXPECT_THAT(record.ShortDebugString(), Not(HasSubstr("guessed")));
}

TEST_F(EnrollmentServiceTest, RefusalCarriesItsReasonOverTheWire) {
  v1::RegisterRequest request = Registration();
  request.set_license_key(GenerateLicenseKey());
  v1::RegisterResponse response;
  const absl::Status status =
      Call(&v1::EnrollmentService::Stub::Register, request, response);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_LICENSE_KEY_UNKNOWN);
  EXPECT_EQ(LastRecord().result(), "NOT_FOUND/LICENSE_KEY_UNKNOWN");
}

TEST_F(EnrollmentServiceTest, WhoComesTooOftenTakesNoPlaceInTheQueue) {
  may_wait_ = Error(absl::StatusCode::kResourceExhausted,
                    v1::ERROR_REASON_RATE_LIMITED, "too often");
  // Whatever is handed over from now on is refused otherwise.
  executor_.Shutdown();
  v1::InstallRequest request;
  v1::InstallResponse response;
  EXPECT_EQ(
      ReasonOf(Call(&v1::EnrollmentService::Stub::Install, request, response)),
      v1::ERROR_REASON_RATE_LIMITED);
}

TEST_F(EnrollmentServiceTest, FieldThatBreaksItsFormatReachesNoRule) {
  v1::InstallRequest request;
  request.set_license_key(key_);
  request.set_agent_version("1.0\n2.0");
  v1::InstallResponse response;
  const absl::Status status =
      Call(&v1::EnrollmentService::Stub::Install, request, response);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_INVALID_FIELD) << status;
  EXPECT_EQ(ErrorInfoOf(status)->metadata().at("field"), "agent_version");
  EXPECT_EQ(LastRecord().summary(), "");
}

TEST_F(EnrollmentServiceTest, RecoveryTakesThePasswordOfTheRegistration) {
  v1::RegisterResponse registered;
  ASSERT_TRUE(
      Call(&v1::EnrollmentService::Stub::Register, Registration(), registered)
          .ok());
  v1::RecoverCertificateRequest request;
  request.set_user_name(registered.user_name());
  request.set_password(registered.password());
  request.set_certificate_signing_request(
      BuildCsrDer(PrivateKey::GenerateP256()));
  v1::RecoverCertificateResponse response;
  absl::Status status =
      Call(&v1::EnrollmentService::Stub::RecoverCertificate, request, response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(response.cluster_certificate().empty());
  EXPECT_NE(response.password(), registered.password());
  request.set_password(response.password() + "x");
  status =
      Call(&v1::EnrollmentService::Stub::RecoverCertificate, request, response);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_CREDENTIALS_REFUSED);
}

}  // namespace
}  // namespace mc::service

#include "cluster-agent/exchange/enrollment.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/certificate.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/tls/identity.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;
namespace config = missioncontrol::config::v1;

constexpr absl::Duration kDeadline = absl::Seconds(20);

absl::StatusOr<std::string> ChainOf(const v1::RegisterResponse& answer) {
  absl::StatusOr<std::string> chain =
      CertificateDerToPem(answer.cluster_certificate());
  if (!chain.ok()) return chain.status();
  for (const std::string& issuer : answer.ca_chain()) {
    const absl::StatusOr<std::string> pem = CertificateDerToPem(issuer);
    if (!pem.ok()) return pem.status();
    absl::StrAppend(&*chain, *pem);
  }
  return chain;
}

absl::Status NotOurs(absl::string_view what) {
  return absl::UnauthenticatedError(absl::StrCat(
      "the service answered the registration with ", what,
      "; check that service.enrollment names your vendor, and ask the vendor"));
}

}  // namespace

Enrollment::Enrollment(Options options)
    : options_(std::move(options)),
      stub_(v1::EnrollmentService::NewStub(options_.channel)) {}

void Enrollment::Use(std::shared_ptr<grpc::Channel> channel) {
  std::shared_ptr<Stub> stub =
      v1::EnrollmentService::NewStub(std::move(channel));
  absl::MutexLock lock(&mutex_);
  stub_.swap(stub);
}

std::shared_ptr<Enrollment::Stub> Enrollment::stub() {
  absl::MutexLock lock(&mutex_);
  return stub_;
}

void Enrollment::Install(const std::string& product_version, InstallDone done) {
  v1::InstallRequest request;
  request.set_license_key(options_.license_key);
  request.set_agent_version(options_.agent_version);
  request.set_product_version(product_version);
  const std::shared_ptr<Stub> stub = this->stub();
  using Async = v1::EnrollmentService::StubInterface::async_interface;
  CallUnary<Async, v1::InstallRequest, v1::InstallResponse>(
      options_.in_flight, options_.executor, stub->async(), &Async::Install,
      std::move(request), kDeadline,
      [stub,
       done = std::move(done)](absl::StatusOr<v1::InstallResponse> answer) {
        done(std::move(answer));
      });
}

void Enrollment::Register(SharedState& state, RegisterDone done) {
  v1::RegisterRequest request;
  request.set_license_key(options_.license_key);
  if (!options_.token.empty()) {
    absl::StatusOr<std::string> token = options_.token.Read();
    if (!token.ok()) return done(token.status());
    request.set_enrollment_token(*std::move(token));
  }
  {
    absl::MutexLock lock(&state.mutex);
    const StateDirectory& directory = *state.directory;
    request.set_cluster_id(directory.cluster_id());
    request.set_certificate_signing_request(directory.request_der());
    request.set_site_public_key(directory.site_key().Ed25519Public());
  }
  const std::shared_ptr<Stub> stub = this->stub();
  using Async = v1::EnrollmentService::StubInterface::async_interface;
  CallUnary<Async, v1::RegisterRequest, v1::RegisterResponse>(
      options_.in_flight, options_.executor, stub->async(), &Async::Register,
      std::move(request), kDeadline,
      [stub,
       done = std::move(done)](absl::StatusOr<v1::RegisterResponse> answer) {
        done(std::move(answer));
      });
}

void Enrollment::Recover(v1::RecoverCertificateRequest request,
                         RecoverDone done) {
  const std::shared_ptr<Stub> stub = this->stub();
  using Async = v1::EnrollmentService::StubInterface::async_interface;
  CallUnary<Async, v1::RecoverCertificateRequest,
            v1::RecoverCertificateResponse>(
      options_.in_flight, options_.executor, stub->async(),
      &Async::RecoverCertificate, std::move(request), kDeadline,
      [stub, done = std::move(done)](
          absl::StatusOr<v1::RecoverCertificateResponse> answer) {
        done(std::move(answer));
      });
}

absl::StatusOr<bool> NeedsInstall(const StateDirectory& state,
                                  const std::string& agent_version,
                                  const std::string& product_version) {
  const absl::StatusOr<std::optional<config::AgentInstallation>> kept =
      state.LoadInstallation();
  if (!kept.ok()) return kept.status();
  return !kept->has_value() || (*kept)->agent_version() != agent_version ||
         (*kept)->product_version() != product_version;
}

absl::Status KeepInstallation(SharedState& state,
                              const std::string& agent_version,
                              const std::string& product_version,
                              const v1::InstallResponse& answer,
                              absl::Time now) {
  config::AgentInstallation installation;
  installation.set_agent_version(agent_version);
  installation.set_product_version(product_version);
  *installation.mutable_installed_at() = mc::ToProto(now);
  *installation.mutable_answer() = answer;
  absl::MutexLock lock(&state.mutex);
  return state.directory->SaveInstallation(installation);
}

absl::Status KeepRegistration(SharedState& state,
                              const std::string& license_key,
                              const v1::RegisterResponse& answer,
                              absl::Time now) {
  switch (answer.status()) {
    case v1::REGISTRATION_STATUS_REGISTERED:
      break;
    case v1::REGISTRATION_STATUS_REVOKED:
      return Error(absl::StatusCode::kFailedPrecondition,
                   v1::ERROR_REASON_IDENTITY_REVOKED,
                   "the registration was revoked");
    case v1::REGISTRATION_STATUS_PENDING:
      return Error(
          absl::StatusCode::kAborted, v1::ERROR_REASON_REGISTRATION_PENDING,
          "an operator of your vendor has to approve the registration");
    default:
      return NotOurs("a status that this agent does not know");
  }
  const absl::StatusOr<std::string> chain = ChainOf(answer);
  if (!chain.ok()) return NotOurs("no certificate");
  const absl::StatusOr<PeerIdentity> identity = IdentityOfCertificate(*chain);
  if (!identity.ok() || identity->kind != "cluster" ||
      identity->id != state.directory->cluster_id()) {
    return NotOurs("a certificate for another identity");
  }
  config::AgentRegistration registration;
  registration.set_user_name(answer.user_name());
  registration.set_password(answer.password());
  registration.set_trust_domain(identity->trust_domain);
  *registration.mutable_document_keys() = answer.document_keys();
  *registration.mutable_registered_at() = mc::ToProto(now);
  *registration.mutable_certified_at() = mc::ToProto(now);
  registration.set_license_key_masked(MaskLicenseKey(license_key));
  absl::MutexLock lock(&state.mutex);
  return state.directory->SaveRegistration(registration, *chain);
}

}  // namespace mc::agent

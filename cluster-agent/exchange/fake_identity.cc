#include "cluster-agent/exchange/fake_identity.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/channel.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/crypto/possession.h"
#include "common/status/grpc_status.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"
#include "common/tls/credentials.h"
#include "common/tls/identity.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr char kTrustDomain[] = "test.example";
constexpr char kUserName[] = "cluster-user";
// As the service does it.
constexpr absl::Duration kBackdating = absl::Minutes(5);
constexpr absl::Duration kDecades = absl::Hours(24 * 365 * 20);

grpc::Status Denied(v1::ErrorReason reason) {
  return ToGrpc(Error(absl::StatusCode::kPermissionDenied, reason, "no"));
}

grpc::Status Lost() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "lost");
}

}  // namespace

class FakeIdentity::Cluster final : public v1::ClusterService::Service {
 public:
  explicit Cluster(FakeIdentity* fake) : fake_(fake) {}

  grpc::Status CheckLicense(grpc::ServerContext* context,
                            const v1::CheckLicenseRequest*,
                            v1::CheckLicenseResponse*) override {
    absl::MutexLock lock(&fake_->mutex_);
    grpc::Status status = fake_->Before();
    if (status.ok()) status = fake_->Guard(*context);
    ++fake_->counts_.proven;
    fake_->mutex_.Await(absl::Condition(&fake_->free_));
    return status.ok() ? fake_->After() : status;
  }

  grpc::Status RenewCertificate(
      grpc::ServerContext* context, const v1::RenewCertificateRequest* request,
      v1::RenewCertificateResponse* response) override {
    absl::MutexLock lock(&fake_->mutex_);
    grpc::Status status = fake_->Before();
    if (status.ok()) status = fake_->Guard(*context);
    if (!status.ok()) return status;
    ++fake_->counts_.renewals;
    fake_->counts_.last_instance_id = request->agent_instance_id();
    return fake_->Issue(request->certificate_signing_request(), response);
  }

 private:
  FakeIdentity* const fake_;
};

class FakeIdentity::Enrollment final : public v1::EnrollmentService::Service {
 public:
  explicit Enrollment(FakeIdentity* fake) : fake_(fake) {}

  grpc::Status RecoverCertificate(
      grpc::ServerContext*, const v1::RecoverCertificateRequest* request,
      v1::RecoverCertificateResponse* response) override {
    absl::MutexLock lock(&fake_->mutex_);
    const grpc::Status status = fake_->Before();
    if (!status.ok()) return status;
    const bool good = !request->password().empty() &&
                      (request->password() == fake_->used_password_ ||
                       request->password() == fake_->pending_password_);
    if (request->user_name() != kUserName || !good) {
      ++fake_->counts_.refused_passwords;
      return Denied(v1::ERROR_REASON_CREDENTIALS_REFUSED);
    }
    if (!fake_->refusal_.ok()) return fake_->refusal_;
    if (VerifyPossession(request->previous_certificate(),
                         request->certificate_signing_request(),
                         request->previous_key_signature())
            .ok()) {
      ++fake_->counts_.proofs;
    }
    ++fake_->counts_.recoveries;
    return fake_->Issue(request->certificate_signing_request(), response);
  }

 private:
  FakeIdentity* const fake_;
};

FakeIdentity::FakeIdentity(const std::string& cluster_id, const Clock* clock,
                           absl::Duration lifetime)
    : cluster_id_(cluster_id), clock_(clock), lifetime_(lifetime) {
  const absl::Time simulated = clock->Now();
  authority_ =
      std::make_unique<CertificateAuthority>(*CertificateAuthority::Create(
          "cluster", simulated - kDecades, simulated + kDecades));
  // Agents check the server's dates by the real time.
  const absl::Time now = RealClock().Now();
  const auto server_ca = *CertificateAuthority::Create(
      "server", now - absl::Hours(1), now + absl::Hours(2));
  server_ca_pem_ = server_ca.cert_pem();
  const PrivateKey key = PrivateKey::GenerateP256();
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.dns_sans = {"localhost"};
  spec.server_auth = true;
  spec.not_before = now - absl::Hours(1);
  spec.not_after = now + absl::Hours(1);
  const std::string chain = *CertificateDerToPem(*server_ca.Issue(spec));

  cluster_ = std::make_unique<Cluster>(this);
  enrollment_ = std::make_unique<Enrollment>(this);
  grpc::SslServerCredentialsOptions tls(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  tls.pem_key_cert_pairs.push_back({key.ToPem(), chain});
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", grpc::SslServerCredentials(tls),
                           &cluster_port_);
  builder.AddListeningPort("localhost:0",
                           *MakeServerCredentials({.cert_chain_pem = chain,
                                                   .key_pem = key.ToPem(),
                                                   .client_ca_pem = ""}),
                           &enrollment_port_);
  builder.RegisterService(cluster_.get());
  builder.RegisterService(enrollment_.get());
  server_ = builder.BuildAndStart();
}

FakeIdentity::~FakeIdentity() { server_->Shutdown(gpr_time_0(GPR_TIMESPAN)); }

std::shared_ptr<grpc::Channel> FakeIdentity::enrollment() const {
  return cluster("", "");
}

std::shared_ptr<grpc::Channel> FakeIdentity::cluster(
    const std::string& chain_pem, const std::string& key_pem) const {
  const int port = chain_pem.empty() ? enrollment_port_ : cluster_port_;
  return *MakeChannel({.address = absl::StrCat("localhost:", port),
                       .root_pem = server_ca_pem_,
                       .cert_chain_pem = chain_pem,
                       .key_pem = key_pem,
                       .backoff_initial = absl::Milliseconds(100),
                       .backoff_max = absl::Milliseconds(100)});
}

FakeIdentity::Registered FakeIdentity::Register(const std::string& spki_der) {
  absl::MutexLock lock(&mutex_);
  used_key_ = Sha256(spki_der);
  used_password_ = absl::StrCat("password-", ++drawn_);
  pending_key_ = pending_password_ = "";
  Registered registered;
  registered.chain_pem = *CertificateDerToPem(Certify(spki_der));
  registered.registration.set_user_name(kUserName);
  registered.registration.set_password(used_password_);
  registered.registration.set_trust_domain(kTrustDomain);
  auto* key = registered.registration.add_document_keys();
  key->set_key_id("0123456789abcdef");
  key->set_public_key(std::string(32, 'k'));
  *registered.registration.mutable_registered_at() = mc::ToProto(clock_->Now());
  return registered;
}

void FakeIdentity::Refuse(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  refusal_ = status;
}
void FakeIdentity::ForgetPending() {
  absl::MutexLock lock(&mutex_);
  pending_key_ = pending_password_ = "";
}
void FakeIdentity::GiveUpNextKey() {
  absl::MutexLock lock(&mutex_);
  gives_up_next_ = true;
}
void FakeIdentity::AnswerWith(Forge forge) {
  absl::MutexLock lock(&mutex_);
  forge_ = std::move(forge);
}
void FakeIdentity::Hold(bool held) {
  absl::MutexLock lock(&mutex_);
  free_ = !held;
}
void FakeIdentity::ForgetPasswords() {
  absl::MutexLock lock(&mutex_);
  used_password_ = pending_password_ = "";
}
void FakeIdentity::LoseAnswers(int calls) {
  absl::MutexLock lock(&mutex_);
  lose_answers_ = calls;
}
void FakeIdentity::LoseRequests(int calls) {
  absl::MutexLock lock(&mutex_);
  lose_requests_ = calls;
}
FakeIdentity::Counts FakeIdentity::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

grpc::Status FakeIdentity::Before() {
  if (lose_requests_ == 0) return grpc::Status::OK;
  --lose_requests_;
  return Lost();
}

grpc::Status FakeIdentity::After() {
  if (lose_answers_ == 0) return grpc::Status::OK;
  --lose_answers_;
  return Lost();
}

grpc::Status FakeIdentity::Guard(const grpc::ServerContext& context) {
  const auto identity = PeerIdentityOf(*context.auth_context());
  if (!identity.ok() || identity->id != cluster_id_) {
    return Denied(v1::ERROR_REASON_IDENTITY_UNKNOWN);
  }
  if (!refusal_.ok()) return refusal_;
  const bool pending = identity->spki_sha256 == pending_key_;
  if ((!pending && identity->spki_sha256 != used_key_) ||
      clock_->Now() > identity->not_after) {
    ++counts_.refused_certificates;
    return Denied(v1::ERROR_REASON_MUST_RECOVER);
  }
  if (pending) {
    used_key_ = std::exchange(pending_key_, "");
    used_password_ = std::exchange(pending_password_, "");
  }
  return grpc::Status::OK;
}

std::string FakeIdentity::Certify(const std::string& spki_der) {
  IssueSpec spec;
  spec.spki_der = spki_der;
  spec.uri_sans = {ClusterSpiffeId(kTrustDomain, cluster_id_)};
  spec.client_auth = true;
  const absl::Time now =
      absl::FromUnixSeconds(absl::ToUnixSeconds(clock_->Now()));
  spec.not_before = now - kBackdating;
  spec.not_after = now + lifetime_;
  return *authority_->Issue(spec);
}

template <typename Response>
grpc::Status FakeIdentity::Issue(const std::string& request_der,
                                 Response* response) {
  const auto request = ParseCsrDer(request_der);
  if (!request.ok()) return ToGrpc(request.status());
  const std::string key = Sha256(request->spki_der);
  if (std::exchange(gives_up_next_, false)) given_up_ = key;
  if (key == given_up_) {
    ++counts_.refused_keys;
    return ToGrpc(Error(absl::StatusCode::kInvalidArgument,
                        v1::ERROR_REASON_CSR_KEY_NOT_ALLOWED, "given up"));
  }
  pending_key_ = key;
  counts_.keys.insert(pending_key_);
  pending_password_ = absl::StrCat("password-", ++drawn_);
  const std::string certificate = Certify(request->spki_der);
  response->set_cluster_certificate(forge_ ? forge_(certificate) : certificate);
  response->add_ca_chain(authority_->cert_der());
  response->set_password(pending_password_);
  return After();
}

}  // namespace mc::agent

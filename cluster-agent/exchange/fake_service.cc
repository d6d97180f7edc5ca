#include "cluster-agent/exchange/fake_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster-agent/exchange/channel.h"
#include "common/crypto/certificate.h"
#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/rpc/bidi_reactor.h"
#include "common/rpc/byte_buffer.h"
#include "common/time/clock.h"
#include "common/tls/credentials.h"
#include "common/tls/identity.h"
#include "gtest/gtest.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr size_t kMaxUnanswered = 64;
constexpr absl::Duration kPatience = absl::Minutes(1);

struct Certified {
  std::string chain_pem;
  std::string key_pem;
};

Certified Certify(const CertificateAuthority& authority, IssueSpec spec) {
  const PrivateKey key = PrivateKey::GenerateP256();
  const absl::Time now = RealClock().Now();
  spec.spki_der = key.PublicSpkiDer();
  spec.not_before = now - absl::Hours(1);
  spec.not_after = now + absl::Hours(1);
  return {*CertificateDerToPem(*authority.Issue(spec)), key.ToPem()};
}

}  // namespace

class FakeService::ReportsReactor
    : public BidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit ReportsReactor(FakeService* fake)
      : BidiReactor(kMaxUnanswered), fake_(fake), script_(fake->script()) {
    StartReading();
  }

 private:
  void OnMessage(grpc::ByteBuffer& buffer) override {
    std::string bytes;
    WithBytes(buffer, [&](std::string_view view) { bytes = view; });
    v1::StreamReportsRequest request;
    ASSERT_TRUE(request.ParseFromString(bytes));
    v1::StreamReportsResponse response;
    if (request.has_hello()) {
      v1::Welcome& welcome = *response.mutable_welcome();
      welcome.set_service_epoch(script_.service_epoch);
      *welcome.mutable_pacing() = script_.pacing;
      welcome.mutable_marks()->Assign(script_.marks.begin(),
                                      script_.marks.end());
      {
        absl::MutexLock lock(&fake_->mutex_);
        fake_->hellos_.push_back(request.hello());
      }
      return Answer(ToByteBuffer(response));
    }
    {
      absl::MutexLock lock(&fake_->mutex_);
      fake_->reports_.push_back(bytes);
    }
    if (!script_.end_reports.ok()) return End(script_.end_reports);
    const auto receipt = script_.receipt
                             ? script_.receipt(request.report(), bytes)
                             : fake_->Accepted(request.report(), bytes);
    if (receipt == nullptr) return;
    *response.mutable_receipt() = *receipt;
    Answer(ToByteBuffer(response));
  }

  void OnOver(const grpc::Status&) override {
    absl::MutexLock lock(&fake_->mutex_);
    ++fake_->ended_reports_;
  }

  FakeService* const fake_;
  const Script script_;
};

class FakeService::HeartbeatsReactor
    : public BidiReactor<v1::StreamHeartbeatsRequest,
                         v1::StreamHeartbeatsResponse> {
 public:
  explicit HeartbeatsReactor(FakeService* fake)
      : BidiReactor(kMaxUnanswered), fake_(fake), script_(fake->script()) {
    StartReading();
  }

 private:
  void OnMessage(v1::StreamHeartbeatsRequest& beat) override {
    {
      absl::MutexLock lock(&fake_->mutex_);
      fake_->beats_.push_back(beat);
    }
    if (!script_.end_heartbeats.ok()) return End(script_.end_heartbeats);
    if (script_.answer_beats) Answer(v1::StreamHeartbeatsResponse());
  }

  void OnOver(const grpc::Status&) override {
    absl::MutexLock lock(&fake_->mutex_);
    ++fake_->ended_heartbeats_;
  }

  FakeService* const fake_;
  const Script script_;
};

class FakeService::Service
    : public v1::ClusterService::WithRawCallbackMethod_StreamReports<
          v1::ClusterService::WithCallbackMethod_StreamHeartbeats<
              v1::ClusterService::Service>> {
 public:
  explicit Service(FakeService* fake) : fake_(fake) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamReports(
      grpc::CallbackServerContext*) override {
    return ReportsReactor::Launch(std::make_shared<ReportsReactor>(fake_));
  }
  grpc::ServerBidiReactor<v1::StreamHeartbeatsRequest,
                          v1::StreamHeartbeatsResponse>*
  StreamHeartbeats(grpc::CallbackServerContext*) override {
    return HeartbeatsReactor::Launch(
        std::make_shared<HeartbeatsReactor>(fake_));
  }

 private:
  FakeService* const fake_;
};

FakeService::FakeService(const std::string& cluster_id)
    : cluster_id_(cluster_id), signer_(PrivateKey::GenerateEd25519()) {
  const RealClock clock;
  const absl::Time now = clock.Now();
  const auto server_ca = *CertificateAuthority::Create(
      "server", now - absl::Hours(2), now + absl::Hours(2));
  const auto cluster_ca = *CertificateAuthority::Create(
      "cluster", now - absl::Hours(2), now + absl::Hours(2));
  IssueSpec server;
  server.dns_sans = {"localhost"};
  server.server_auth = true;
  const Certified served = Certify(server_ca, server);
  IssueSpec cluster;
  cluster.uri_sans = {ClusterSpiffeId("test.example", cluster_id)};
  cluster.client_auth = true;
  const Certified client = Certify(cluster_ca, cluster);

  service_ = std::make_unique<Service>(this);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(
      "localhost:0",
      *MakeServerCredentials({.cert_chain_pem = served.chain_pem,
                              .key_pem = served.key_pem,
                              .client_ca_pem = cluster_ca.cert_pem()}),
      &port);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  channel_ = *MakeChannel({.address = absl::StrCat("localhost:", port),
                           .root_pem = server_ca.cert_pem(),
                           .cert_chain_pem = client.chain_pem,
                           .key_pem = client.key_pem,
                           .backoff_initial = absl::Milliseconds(100),
                           .backoff_max = absl::Milliseconds(100)});
}

FakeService::~FakeService() { server_->Shutdown(gpr_time_0(GPR_TIMESPAN)); }

void FakeService::Set(Script script) {
  absl::MutexLock lock(&mutex_);
  script_ = std::move(script);
}

FakeService::Script FakeService::script() const {
  absl::MutexLock lock(&mutex_);
  return script_;
}

template <typename T>
std::vector<T> FakeService::WaitFor(std::vector<T> FakeService::*values,
                                    size_t enough) {
  absl::MutexLock lock(&mutex_);
  const auto reached = [&] { return (this->*values).size() >= enough; };
  mutex_.AwaitWithTimeout(absl::Condition(&reached), kPatience);
  EXPECT_GE((this->*values).size(), enough);
  return this->*values;
}

int64_t FakeService::WaitFor(int64_t FakeService::*count, int64_t enough) {
  absl::MutexLock lock(&mutex_);
  const auto reached = [&] { return this->*count >= enough; };
  mutex_.AwaitWithTimeout(absl::Condition(&reached), kPatience);
  EXPECT_GE(this->*count, enough);
  return this->*count;
}

std::vector<v1::Hello> FakeService::Hellos(size_t enough) {
  return WaitFor(&FakeService::hellos_, enough);
}
std::vector<std::string> FakeService::Reports(size_t enough) {
  return WaitFor(&FakeService::reports_, enough);
}
std::vector<v1::StreamHeartbeatsRequest> FakeService::Beats(size_t enough) {
  return WaitFor(&FakeService::beats_, enough);
}
int64_t FakeService::EndedReports(int64_t enough) {
  return WaitFor(&FakeService::ended_reports_, enough);
}
int64_t FakeService::EndedHeartbeats(int64_t enough) {
  return WaitFor(&FakeService::ended_heartbeats_, enough);
}

std::unique_ptr<v1::ReportReceipt> FakeService::Accepted(
    const v1::ReportEnvelope& report, const std::string& bytes) const {
  auto receipt = std::make_unique<v1::ReportReceipt>();
  receipt->set_lane(report.lane());
  receipt->set_epoch(report.epoch());
  receipt->set_sequence(report.sequence());
  if (report.has_health_check()) {
    receipt->mutable_health_check()->set_status(v1::HEALTH_STATUS_HEALTHY);
    return receipt;
  }
  if (report.has_cluster_events()) {
    receipt->mutable_cluster_events();
    return receipt;
  }
  receipt->mutable_consumption()->set_state(v1::USAGE_STATE_USING_QUOTA);
  v1::ConsumptionReceiptDocument document;
  document.set_kind(v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  document.set_cluster_id(cluster_id_);
  document.set_epoch(report.epoch());
  document.set_sequence(report.sequence());
  document.set_report_sha256(Sha256(bytes));
  *receipt->mutable_signed_receipt() = signer_.Sign(document);
  return receipt;
}

}  // namespace mc::agent

// What clusters send to the service, through the rules to a store in memory.
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/wire/check.h"
#include "mc-service/api/report_bytes.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/exchanges/summary.h"
#include "mc-service/domain/ledger/verify.h"
#include "mc-service/domain/license/license_desk.h"
#include "mc-service/domain/presence/presence.h"
#include "mc-service/domain/reports/report_desk.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/domain/updates/updates.h"
#include "mc-service/store/fake/fake_store.h"
#include "missioncontrol/v1/identity.pb.h"
#include "missioncontrol/v1/installation.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Message;

enum : size_t {
  kInstall,
  kRegister,
  kCheckLicense,
  kCheckUpdates,
  kHello,
  kReport,
  kHeartbeat,
  kRecover,
  kRenew,
};

const std::vector<Call>& AllCalls() {
  static const auto& calls = *new std::vector<Call>{
      {"install", &v1::InstallRequest::default_instance()},
      {"register", &v1::RegisterRequest::default_instance()},
      {"check_license", &v1::CheckLicenseRequest::default_instance()},
      {"check_updates", &v1::CheckUpdatesRequest::default_instance()},
      {"hello", &v1::Hello::default_instance()},
      {"report", &v1::ReportEnvelope::default_instance()},
      {"heartbeat", &v1::StreamHeartbeatsRequest::default_instance()},
      {"recover", &v1::RecoverCertificateRequest::default_instance()},
      {"renew", &v1::RenewCertificateRequest::default_instance()},
  };
  return calls;
}

const CertificateAuthority& Authority() {
  static const auto& authority =
      *new CertificateAuthority(*CertificateAuthority::Create(
          "Fuzz", absl::FromUnixSeconds(kHour) - absl::Hours(24 * 365),
          absl::FromUnixSeconds(kHour) + absl::Hours(24 * 3650)));
  return authority;
}

const DocumentSigner& Signer() {
  static const auto& signer =
      *new DocumentSigner(PrivateKey::GenerateEd25519());
  return signer;
}

// What leaves the service is told in the terms of the contract.
void CheckRefusal(const absl::Status& status) {
  if (status.ok()) return;
  Require(ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED,
          "what is refused has a reason");
  Require(status.message().find(kLicenseKey) == absl::string_view::npos,
          "errors hold no license key");
}

// A field that every message of a caller has passed.
bool Passes(const Message& message) {
  const absl::Status checked = CheckMessage(message);
  CheckRefusal(checked);
  return checked.ok();
}

class Service : public Session {
 public:
  Service() {
    service::License license =
        service::SeedLicense(absl::FromUnixSeconds(kHour));
    license.key_digest = LicenseKeyDigest(kLicenseKey);
    license.limits.set_clusters(3);
    Require(service::Seed(store_, license, {kCluster}).ok(),
            "the store takes what it needs");
  }

  void Run(size_t call, const Message& message) override {
    clock_.Advance(absl::Seconds(1));
    switch (call) {
      case kInstall:
        return Install(static_cast<const v1::InstallRequest&>(message));
      case kRegister:
        return Register(static_cast<const v1::RegisterRequest&>(message));
      case kCheckLicense:
        if (Passes(message)) {
          Require(license_.Check(kCluster).ok(),
                  "a registered cluster is told of its license");
        }
        return;
      case kCheckUpdates:
        if (Passes(message)) {
          CheckRefusal(
              updates_
                  .Check(kCluster,
                         static_cast<const v1::CheckUpdatesRequest&>(message))
                  .status());
        }
        return;
      case kHello:
        return CheckRefusal(
            reports_.Greet(static_cast<const v1::Hello&>(message)).status());
      case kReport:
        return Report(static_cast<const v1::ReportEnvelope&>(message));
      case kHeartbeat:
        return Beat(static_cast<const v1::StreamHeartbeatsRequest&>(message));
      case kRecover: {
        const auto& recover =
            static_cast<const v1::RecoverCertificateRequest&>(message);
        if (!Passes(recover)) return;
        CheckRefusal(
            ParseCsrDer(recover.certificate_signing_request()).status());
        ParseCertificateDer(recover.previous_certificate())
            .status()
            .IgnoreError();
        return;
      }
      case kRenew:
        if (Passes(message)) {
          CheckRefusal(
              ParseCsrDer(
                  static_cast<const v1::RenewCertificateRequest&>(message)
                      .certificate_signing_request())
                  .status());
        }
        return;
    }
  }

  void End() override {
    absl::Notification flushed;
    absl::Status flush;
    presence_.Flush(clock_.Now(), [&](absl::Status status) {
      flush = std::move(status);
      flushed.Notify();
    });
    flushed.WaitForNotification();
    Require(flush.ok(), "beats can be written");
    if (!accepted_usage_) return;
    const auto verified = service::VerifyLedger(store_, "");
    Require(verified.ok() && verified->differences_size() == 0,
            "the ledger is what its reports say");
  }

 private:
  void Install(const v1::InstallRequest& request) {
    if (Passes(request)) CheckRefusal(enrollment_.Install(request).status());
  }

  void Register(const v1::RegisterRequest& request) {
    if (!Passes(request)) return;
    const auto answer = enrollment_.Register(request);
    if (!answer.ok()) return CheckRefusal(answer.status());
    const auto certificate = ParseCertificateDer(answer->cluster_certificate());
    Require(certificate.ok() && !certificate->is_ca &&
                certificate->uri_sans ==
                    std::vector<std::string>{"spiffe://example.com/cluster/" +
                                             request.cluster_id()},
            "the certificate is of the cluster that asked");
    Require(enrollment_.Register(request).ok(),
            "the same cluster may ask again");
    v1::RegisterRequest other = request;
    other.set_site_public_key(std::string(kSha256Size, '\1'));
    Require(request.site_public_key() == other.site_public_key() ||
                !enrollment_.Register(other).ok(),
            "other keys do not take a cluster over");
  }

  v1::ReportReceipt Accept(const v1::ReportEnvelope& report) {
    absl::Notification received;
    v1::ReportReceipt receipt;
    reports_.Accept({.cluster_id = kCluster,
                     .digest = Sha256(report.SerializeAsString()),
                     .report = report},
                    [&](v1::ReportReceipt given) {
                      receipt = std::move(given);
                      received.Notify();
                    });
    received.WaitForNotification();
    return receipt;
  }

  // What is read of a report whose bytes break.
  static void ReadBroken(const v1::ReportEnvelope& report) {
    v1::StreamReportsRequest request;
    *request.mutable_report() = report;
    const std::string bytes = request.SerializeAsString();
    const auto key = service::ReadKey(bytes);
    if (report.lane() != v1::LANE_UNSPECIFIED && report.sequence() != 0) {
      Require(key.has_value() && key->lane == report.lane() &&
                  key->epoch == report.epoch() &&
                  key->sequence == report.sequence(),
              "a report that is whole has its key");
    }
    for (const size_t half : {bytes.size() / 2, bytes.size() - 1}) {
      service::ReadKey(std::string_view(bytes).substr(0, half));
      service::ReadKey(std::string_view(bytes).substr(half));
    }
  }

  void Report(const v1::ReportEnvelope& report) {
    service::Summarize(report);
    ReadBroken(report);
    // As the stream does: another cluster's payload ends it.
    const std::string_view named = service::PayloadClusterId(report);
    if (!named.empty() && named != kCluster) return;
    const v1::ReportReceipt receipt = Accept(report);
    Require(receipt.lane() == report.lane() &&
                receipt.epoch() == report.epoch() &&
                receipt.sequence() == report.sequence(),
            "a receipt is of its report");
    if (receipt.has_rejection()) {
      const v1::Rejection& rejection = receipt.rejection();
      Require(rejection.reason() != v1::ERROR_REASON_UNSPECIFIED &&
                  !rejection.message().empty(),
              "a rejection says why");
      Require(rejection.reason() != v1::ERROR_REASON_STORE_UNAVAILABLE,
              "no report is too much for the store");
    } else {
      accepted_usage_ = accepted_usage_ || report.has_consumption();
    }
    if (report.has_health_check()) return;
    Require(Accept(report).SerializeAsString() == receipt.SerializeAsString(),
            "a report that comes again gets the same answer");
  }

  void Beat(const v1::StreamHeartbeatsRequest& beat) {
    service::Summarize(beat);
    if (!Passes(beat)) return;
    presence_.Speaks(kCluster, beat.agent_instance_id(), clock_.Now());
    CheckRefusal(presence_.Beat(kCluster, beat.node_id(), beat.source_type(),
                                clock_.Now()));
  }

  SimulatedClock clock_{absl::FromUnixSeconds(kHour) + absl::Minutes(70)};
  service::FakeStore store_;
  service::ClusterDirectory directory_{{.store = &store_, .clock = &clock_}};
  service::EnrollmentDesk enrollment_{{.store = &store_,
                                       .directory = &directory_,
                                       .authority = &Authority(),
                                       .signer = &Signer(),
                                       .clock = &clock_,
                                       .trust_domain = "example.com"}};
  service::LicenseDesk license_{
      {.store = &store_, .signer = &Signer(), .clock = &clock_}};
  service::UpdateDesk updates_{{.store = &store_, .clock = &clock_}};
  service::ReportDesk reports_{{.store = &store_,
                                .signer = &Signer(),
                                .clock = &clock_,
                                .on_conflict = nullptr}};
  service::Presence presence_{{.store = &store_, .on_clone = nullptr}};
  bool accepted_usage_ = false;
};

}  // namespace

std::span<const Call> Calls() { return AllCalls(); }

std::unique_ptr<Session> Begin() { return std::make_unique<Service>(); }

}  // namespace mc::fuzz

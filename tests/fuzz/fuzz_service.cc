// What clusters send to the service, through the rules to a store in memory.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/crypto/authority.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/license_key.h"
#include "common/status/status.h"
#include "common/time/clock.h"
#include "common/wire/check.h"
#include "mc-service/api/report_bytes.h"
#include "mc-service/domain/enrollment/adoption.h"
#include "mc-service/domain/enrollment/directory.h"
#include "mc-service/domain/enrollment/enrollment_desk.h"
#include "mc-service/domain/enrollment/enrollment_policy.h"
#include "mc-service/domain/enrollment/renewal_desk.h"
#include "mc-service/domain/exchanges/summary.h"
#include "mc-service/domain/ledger/verify.h"
#include "mc-service/domain/license/license_desk.h"
#include "mc-service/domain/presence/presence.h"
#include "mc-service/domain/reports/report_desk.h"
#include "mc-service/domain/testing/seed.h"
#include "mc-service/domain/updates/updates.h"
#include "mc-service/store/fake/fake_store.h"
#include "missioncontrol/v1/cluster_service.pb.h"
#include "missioncontrol/v1/enrollment_service.pb.h"
#include "missioncontrol/v1/fleet_clusters.pb.h"
#include "tests/fuzz/cluster_identity.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Message;

enum : size_t {
  kInstall,
  kRegister,
  kRecover,
  kCheckLicense,
  kStreamReports,
  kHeartbeat,
  kCheckUpdates,
  kRenew,
  kFetchSettings,
  kUploadDiagnostics,
  kExchangeAuditHeads,
  kAdopt,
};

const std::vector<Call>& AllCalls() {
  static const auto& calls = *new std::vector<Call>{
      {"missioncontrol.v1.EnrollmentService.Install",
       &v1::InstallRequest::default_instance()},
      {"missioncontrol.v1.EnrollmentService.Register",
       &v1::RegisterRequest::default_instance()},
      {"missioncontrol.v1.EnrollmentService.RecoverCertificate",
       &v1::RecoverCertificateRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.CheckLicense",
       &v1::CheckLicenseRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.StreamReports",
       &v1::StreamReportsRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.StreamHeartbeats",
       &v1::StreamHeartbeatsRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.CheckUpdates",
       &v1::CheckUpdatesRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.RenewCertificate",
       &v1::RenewCertificateRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.FetchSettings",
       &v1::FetchSettingsRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.UploadDiagnostics",
       &v1::UploadDiagnosticsRequest::default_instance()},
      {"missioncontrol.v1.ClusterService.ExchangeAuditHeads",
       &v1::ExchangeAuditHeadsRequest::default_instance()},
      // What an operator may decide meanwhile.
      {"adopt", &v1::AdoptClusterRequest::default_instance()},
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

// A field that every message of a caller has passed.
bool Passes(const Message& message) {
  const absl::Status checked = CheckMessage(message);
  CheckRefusal(checked);
  return checked.ok();
}

// A license besides the first one.
service::License OtherLicense(std::string id, const char* key,
                              v1::EnrollmentPolicy policy) {
  service::License license = service::SeedLicense(absl::FromUnixSeconds(kHour));
  license.id = std::move(id);
  license.name = license.id;
  license.key_digest = LicenseKeyDigest(key);
  license.enrollment_policy = policy;
  return license;
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
    const absl::Status more =
        store_.WriteAndWait([&](service::Writer& writer) -> absl::Status {
          absl::Status done = writer.InsertLicense(OtherLicense(
              "license-2", kTokenLicenseKey, v1::ENROLLMENT_POLICY_TOKEN));
          done.Update(writer.InsertLicense(OtherLicense(
              "license-3", kApproveLicenseKey, v1::ENROLLMENT_POLICY_APPROVE)));
          done.Update(writer.PutEnrollmentToken(
              {.id = "token-1",
               .license_id = "license-2",
               .digest = service::EnrollmentTokenDigest(kEnrollmentToken),
               .created_at = clock_.Now(),
               .expires_at = clock_.Now() + absl::Hours(24)}));
          auto cluster = writer.GetCluster(kCluster);
          if (!cluster.ok()) return cluster.status();
          cluster->tls_key_digest = identity_.own().digest;
          cluster->certificate_serial = identity_.own().serial;
          cluster->certificate_not_after = identity_.own().not_after;
          cluster->password_digest = Sha256(kPassword);
          done.Update(writer.PutCluster(*cluster));
          return done;
        });
    Require(more.ok(), "the store takes what it needs");
  }

  void Run(size_t call, const Message& message) override {
    clock_.Advance(absl::Seconds(1));
    switch (call) {
      case kStreamReports:
        return Stream(static_cast<const v1::StreamReportsRequest&>(message));
      case kHeartbeat:
        return Beat(static_cast<const v1::StreamHeartbeatsRequest&>(message));
      case kAdopt:
        return Adopt(static_cast<const v1::AdoptClusterRequest&>(message));
    }
    if (!Passes(message)) return;
    switch (call) {
      case kInstall:
        return CheckRefusal(
            enrollment_.Install(static_cast<const v1::InstallRequest&>(message))
                .status());
      case kRegister:
        return Register(static_cast<const v1::RegisterRequest&>(message));
      case kRecover:
        return identity_.Recover(
            static_cast<const v1::RecoverCertificateRequest&>(message));
      case kCheckLicense:
        identity_.Connect();
        return Require(license_.Check(kCluster).ok(),
                       "a registered cluster is told of its license");
      case kCheckUpdates:
        return CheckRefusal(
            updates_
                .Check(kCluster,
                       static_cast<const v1::CheckUpdatesRequest&>(message))
                .status());
      case kRenew:
        return identity_.Renew(
            static_cast<const v1::RenewCertificateRequest&>(message));
      default:
        // Not supported yet: what passed is answered so, whatever it is.
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
  void Register(const v1::RegisterRequest& request) {
    const auto answer = enrollment_.Register(request);
    if (!answer.ok()) return CheckRefusal(answer.status());
    Require((answer->status() == v1::REGISTRATION_STATUS_PENDING) ==
                (request.license_key() == kApproveLicenseKey),
            "who needs an approval waits for it");
    Require(request.license_key() != kTokenLicenseKey ||
                request.enrollment_token() == kEnrollmentToken,
            "who needs a token has it");
    if (answer->status() != v1::REGISTRATION_STATUS_PENDING) {
      CheckCertificate(answer->cluster_certificate(),
                       request.certificate_signing_request(),
                       request.cluster_id());
    }
    Require(enrollment_.Register(request).ok(),
            "the same cluster may ask again");
    v1::RegisterRequest other = request;
    other.set_site_public_key(std::string(kSha256Size, '\1'));
    Require(request.site_public_key() == other.site_public_key() ||
                !enrollment_.Register(other).ok(),
            "other keys do not take a cluster over");
    other.set_cluster_id(std::string(kNewCluster).replace(0, 1, "6"));
    Require(request.license_key() != kTokenLicenseKey ||
                other.cluster_id() == request.cluster_id() ||
                !enrollment_.Register(other).ok(),
            "a token lets one cluster in");
  }

  void Adopt(const v1::AdoptClusterRequest& request) {
    CheckRefusal(service::AdoptCluster(
        store_, kCluster, request.agent_instance_id(), clock_.Now()));
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
  static void ReadBroken(const v1::StreamReportsRequest& request) {
    const v1::ReportEnvelope& report = request.report();
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

  void Stream(const v1::StreamReportsRequest& request) {
    if (request.has_hello()) {
      return CheckRefusal(reports_.Greet(request.hello()).status());
    }
    if (!request.has_report()) return;
    ReadBroken(request);
    Report(request.report());
  }

  void Report(const v1::ReportEnvelope& report) {
    service::Summarize(report);
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
  service::LicenseDesk license_{{.store = &store_,
                                 .signer = &Signer(),
                                 .clock = &clock_,
                                 .next_interval = std::nullopt}};
  service::UpdateDesk updates_{
      {.store = &store_, .clock = &clock_, .next_interval = std::nullopt}};
  service::RenewalDesk renewals_{
      {.store = &store_,
       .directory = &directory_,
       .clock = &clock_,
       .rules = {.authority = &Authority(), .trust_domain = "example.com"},
       .recoveries_per_hour = 1000,
       .on_clone = nullptr,
       .on_adopted = nullptr,
       .on_refused = nullptr}};
  service::ReportDesk reports_{{.store = &store_,
                                .signer = &Signer(),
                                .clock = &clock_,
                                .on_conflict = nullptr}};
  service::Presence presence_{{.store = &store_, .on_clone = nullptr}};
  ClusterIdentity identity_{&renewals_, clock_.Now()};
  bool accepted_usage_ = false;
};

}  // namespace

std::span<const Call> Calls() { return AllCalls(); }

std::span<const std::string_view> Services() {
  static constexpr std::string_view kServices[] = {
      "missioncontrol.v1.ClusterService",
      "missioncontrol.v1.EnrollmentService"};
  return kServices;
}

std::unique_ptr<Session> Begin() { return std::make_unique<Service>(); }

}  // namespace mc::fuzz

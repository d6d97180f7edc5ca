// Writes the seeds of the corpus that are made of messages, certificates and
// archives: fuzz-seeds DIRECTORY. The texts of the corpus are written by hand.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "common/age/stream.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/crypto/key.h"
#include "common/time/proto_time.h"
#include "mc-service/backup/manifest.h"
#include "mc-service/backup/tar.h"
#include "missioncontrol/config/v1/agent_state.pb.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/identity.pb.h"
#include "missioncontrol/v1/installation.pb.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/registration.pb.h"
#include "missioncontrol/v1/reports.pb.h"
#include "missioncontrol/v1/site.pb.h"
#include "missioncontrol/v1/updates.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/names.h"
#include "tests/support/message_filler.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;
using google::protobuf::Message;

class Corpus {
 public:
  explicit Corpus(std::string directory) : directory_(std::move(directory)) {}

  void Put(const std::string& target, const std::string& name,
           const std::string& bytes) {
    const std::filesystem::path folder =
        std::filesystem::path(directory_) / target;
    std::filesystem::create_directories(folder);
    std::ofstream file(folder / name, std::ios::binary | std::ios::trunc);
    file << bytes;
    file.close();
    ok_ = ok_ && file.good();
  }
  void PutCalls(const std::string& target, const std::string& name,
                std::initializer_list<std::pair<char, const Message*>> calls) {
    std::vector<Frame> frames;
    for (const auto& [letter, message] : calls) {
      frames.push_back(
          {static_cast<size_t>(letter - 'A'), message->SerializeAsString()});
    }
    Put(target, name, Join(frames));
  }
  bool ok() const { return ok_; }

 private:
  const std::string directory_;
  bool ok_ = true;
};

testing::MessageFiller Filler() {
  testing::MessageFiller::Options options;
  options.hour_seconds = kHour;
  for (const char* message :
       {"Hello", "HealthCheck", "Consumption", "ClusterEvents",
        "StreamHeartbeatsRequest", "LicenseDocument",
        "ConsumptionReceiptDocument"}) {
    options.texts[absl::StrCat("missioncontrol.v1.", message, ".cluster_id")] =
        kCluster;
  }
  options.texts["missioncontrol.v1.RegisterRequest.cluster_id"] = kNewCluster;
  for (const char* message : {"InstallRequest", "RegisterRequest"}) {
    options.texts[absl::StrCat("missioncontrol.v1.", message, ".license_key")] =
        kLicenseKey;
  }
  options.texts["missioncontrol.v1.JoinRequest.node_id"] = kNode;
  options.texts["missioncontrol.v1.JoinRequest.token"] =
      absl::StrCat("mcj1.", std::string(43, 's'), ".", std::string(64, 'a'));
  return testing::MessageFiller(options);
}

v1::ReportEnvelope Report(testing::MessageFiller& filler, v1::Lane lane,
                          uint64_t sequence) {
  v1::ReportEnvelope report;
  report.set_lane(lane);
  report.set_epoch(kEpoch);
  report.set_sequence(sequence);
  report.mutable_created_at()->set_seconds(kHour + 3600);
  if (lane == v1::LANE_HEALTH) {
    filler.Fill(*report.mutable_health_check());
  } else if (lane == v1::LANE_BILLING) {
    filler.Fill(*report.mutable_consumption());
  } else {
    filler.Fill(*report.mutable_cluster_events());
  }
  return report;
}

v1::ReportEnvelope HostHour(uint64_t epoch, uint64_t sequence, int64_t from) {
  v1::ReportEnvelope report;
  report.set_lane(v1::LANE_BILLING);
  report.set_epoch(epoch);
  report.set_sequence(sequence);
  report.mutable_created_at()->set_seconds(kHour + 3600);
  v1::Consumption& consumption = *report.mutable_consumption();
  consumption.set_cluster_id(kCluster);
  consumption.mutable_time_frame()->mutable_start()->set_seconds(from);
  consumption.mutable_time_frame()->mutable_end()->set_seconds(from + 900);
  v1::EnvironmentConsumption& environment = *consumption.add_environments();
  environment.set_environment_id("env-1");
  environment.set_rum_sessions(120);
  v1::HostConsumption& host = *environment.add_hosts();
  host.set_host_id("host-1");
  host.set_host_category(v1::HOST_CATEGORY_FULL_STACK);
  host.set_memory_bytes(int64_t{16} << 30);
  *host.add_monitored() = consumption.time_frame();
  return report;
}

void PutService(Corpus& corpus) {
  testing::MessageFiller filler = Filler();
  const auto install = filler.Make<v1::InstallRequest>();
  auto registration = filler.Make<v1::RegisterRequest>();
  registration.set_certificate_signing_request(
      BuildCsrDer(PrivateKey::GenerateP256()));
  registration.set_site_public_key(
      PrivateKey::GenerateEd25519().Ed25519Public());
  auto plain = registration;
  plain.clear_enrollment_token();
  corpus.PutCalls("service", "enrollment",
                  {{'A', &install}, {'B', &registration}, {'B', &plain}});
  auto recover = filler.Make<v1::RecoverCertificateRequest>();
  recover.set_certificate_signing_request(
      registration.certificate_signing_request());
  auto renew = filler.Make<v1::RenewCertificateRequest>();
  renew.set_certificate_signing_request(
      registration.certificate_signing_request());
  corpus.PutCalls("service", "identity", {{'H', &recover}, {'I', &renew}});
  const v1::CheckLicenseRequest license;
  const auto updates = filler.Make<v1::CheckUpdatesRequest>();
  const auto hello = filler.Make<v1::Hello>();
  const auto beat = filler.Make<v1::StreamHeartbeatsRequest>();
  corpus.PutCalls(
      "service", "requests",
      {{'C', &license}, {'D', &updates}, {'E', &hello}, {'G', &beat}});
  const auto health = Report(filler, v1::LANE_HEALTH, 1);
  const auto consumption = Report(filler, v1::LANE_BILLING, 1);
  const auto events = Report(filler, v1::LANE_EVENTS, 1);
  corpus.PutCalls("service", "health", {{'F', &health}});
  corpus.PutCalls("service", "consumption", {{'F', &consumption}});
  corpus.PutCalls("service", "events", {{'F', &events}});
  const auto a = HostHour(kEpoch, 1, kHour);
  const auto b = HostHour(kEpoch, 2, kHour + 900);
  const auto c = HostHour(kEpoch + 1, 1, kHour + 600);
  const auto d = HostHour(kEpoch, 5, kHour + 1800);
  corpus.PutCalls("service", "ledger",
                  {{'F', &a}, {'F', &b}, {'F', &c}, {'F', &d}});
}

void PutAgent(Corpus& corpus) {
  testing::MessageFiller filler = Filler();
  const auto used = filler.Make<v1::RecordUsageRequest>();
  v1::RecordUsageRequest usage;
  for (int i = 0; i < 6; ++i) {
    v1::UsageRecord& record = *usage.add_records();
    filler.Fill(record);
    if (record.has_host()) {
      v1::TimeFrame& frame = *record.mutable_host()->mutable_monitored();
      frame.mutable_start()->set_seconds(kHour + 60);
      frame.mutable_end()->set_seconds(kHour + 600);
    }
  }
  corpus.PutCalls("agent", "usage", {{'A', &usage}, {'A', &used}});
  const auto events = filler.Make<v1::RecordEventsRequest>();
  const auto described = filler.Make<v1::DescribeNodeRequest>();
  const auto report = filler.Make<v1::NodeReport>();
  auto join = filler.Make<v1::JoinRequest>();
  join.set_certificate_signing_request(BuildCsrDer(PrivateKey::GenerateP256()));
  corpus.PutCalls("agent", "events", {{'B', &events}, {'C', &described}});
  corpus.PutCalls("agent", "site", {{'D', &report}, {'E', &join}});
  auto license = filler.Make<v1::LicenseDocument>();
  license.set_kind(v1::DOCUMENT_KIND_LICENSE);
  license.set_status(v1::LICENSE_STATUS_ACTIVE);
  license.mutable_ends_at()->set_seconds(kHour + 86400 * 20);
  const auto answer = filler.Make<v1::CheckLicenseResponse>();
  corpus.PutCalls("agent", "license", {{'F', &license}, {'G', &answer}});
  const auto updates = filler.Make<v1::CheckUpdatesResponse>();
  auto succession = filler.Make<v1::KeySuccessionDocument>();
  succession.set_kind(v1::DOCUMENT_KIND_KEY_SUCCESSION);
  auto receipt = filler.Make<v1::ConsumptionReceiptDocument>();
  receipt.set_kind(v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  receipt.set_epoch(kEpoch);
  receipt.set_sequence(1);
  receipt.set_report_sha256("digest");
  auto contact = filler.Make<missioncontrol::config::v1::AgentContact>();
  contact.set_boot_id("boot");
  corpus.PutCalls("agent", "documents",
                  {{'H', &updates}, {'I', &succession}, {'J', &receipt}});
  corpus.PutCalls("agent", "contact", {{'F', &license}, {'K', &contact}});
}

void PutCrypto(Corpus& corpus) {
  const PrivateKey key = PrivateKey::GenerateP256();
  corpus.Put("crypto", "csr", "A" + BuildCsrDer(key));
  const auto authority = CertificateAuthority::Create(
      "Seed", absl::FromUnixSeconds(kHour), absl::FromUnixSeconds(2 * kHour));
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.uri_sans = {absl::StrCat("spiffe://example.com/cluster/", kCluster)};
  spec.client_auth = true;
  spec.not_before = absl::FromUnixSeconds(kHour);
  spec.not_after = absl::FromUnixSeconds(kHour + 86400);
  const auto issued = authority->Issue(spec);
  const std::string pem = *CertificateDerToPem(*issued);
  corpus.Put("crypto", "certificate_der", "B" + *issued);
  corpus.Put("crypto", "certificate_ca", "B" + authority->cert_der());
  corpus.Put("crypto", "certificate_pem", "C" + pem + authority->cert_pem());
  corpus.Put("crypto", "identity", "D" + pem);
  corpus.Put("crypto", "private_key", "E" + key.ToPem());
}

std::string Archive(std::string manifest, const std::string& store) {
  using service::TarHeader;
  using service::TarPadding;
  const absl::Time time = absl::FromUnixSeconds(kHour);
  std::string archive = *TarHeader(
      {service::kManifestName, static_cast<int64_t>(manifest.size()), time});
  archive += manifest + TarPadding(static_cast<int64_t>(manifest.size()));
  archive += *TarHeader(
      {service::kStoreName, static_cast<int64_t>(store.size()), time});
  archive += store + TarPadding(static_cast<int64_t>(store.size()));
  return archive + service::TarEnd();
}

void PutFiles(Corpus& corpus) {
  const std::string store = "the store";
  const service::Manifest manifest = {
      .created_at = "2026-11-21T10:00:00Z",
      .program_version = "1.0.0",
      .trust_domain = "example.com",
      .service_epoch = 12,
      .schema_version = 6,
      .files = {{service::kStoreName, static_cast<int64_t>(store.size()),
                 Hex(Sha256(store))}},
      .not_included = {"/etc/tls.pem"}};
  const std::string json = service::ToJson(manifest);
  const std::string archive = Archive(json, store);
  corpus.Put("files", "tar", "A" + archive.substr(0, service::kTarBlock));
  corpus.Put("files", "tar_large",
             "A" + *service::TarHeader({"large", int64_t{1} << 40,
                                        absl::FromUnixSeconds(kHour)}));
  corpus.Put("files", "manifest", "B" + json);
  corpus.Put("files", "backup", "D" + archive);
  const auto recipient = age::Identity::Parse(kAgeKey);
  std::string encrypted;
  const auto encryptor = age::Encryptor::Start(recipient->recipient(),
                                               [&](std::string_view bytes) {
                                                 encrypted.append(bytes);
                                                 return absl::OkStatus();
                                               });
  if (!(*encryptor)->Write(store).ok() || !(*encryptor)->Finish().ok()) return;
  corpus.Put("files", "age", "C" + encrypted);
}

}  // namespace
}  // namespace mc::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: fuzz-seeds DIRECTORY\n");
    return 2;
  }
  mc::fuzz::Corpus corpus(argv[1]);
  mc::fuzz::PutService(corpus);
  mc::fuzz::PutAgent(corpus);
  mc::fuzz::PutCrypto(corpus);
  mc::fuzz::PutFiles(corpus);
  if (corpus.ok()) return 0;
  std::fprintf(stderr, "fuzz-seeds: cannot write below %s\n", argv[1]);
  return 1;
}

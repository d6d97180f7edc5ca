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
#include "common/crypto/possession.h"
#include "common/time/proto_time.h"
#include "mc-service/backup/manifest.h"
#include "mc-service/backup/tar.h"
#include "missioncontrol/config/v1/agent_state.pb.h"
#include "missioncontrol/v1/agent.pb.h"
#include "missioncontrol/v1/audit.pb.h"
#include "missioncontrol/v1/diagnostics.pb.h"
#include "missioncontrol/v1/fleet_clusters.pb.h"
#include "missioncontrol/v1/heartbeat.pb.h"
#include "missioncontrol/v1/identity.pb.h"
#include "missioncontrol/v1/installation.pb.h"
#include "missioncontrol/v1/license.pb.h"
#include "missioncontrol/v1/registration.pb.h"
#include "missioncontrol/v1/reports.pb.h"
#include "missioncontrol/v1/settings.pb.h"
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
  options.texts["missioncontrol.v1.JoinRequest.token"] = kJoinToken;
  options.texts["missioncontrol.v1.RegisterRequest.enrollment_token"] =
      kEnrollmentToken;
  const std::string recover = "missioncontrol.v1.RecoverCertificateRequest.";
  options.texts[recover + "user_name"] = absl::StrCat("cluster-", kCluster);
  options.texts[recover + "password"] = kPassword;
  return testing::MessageFiller(options);
}

v1::StreamReportsRequest Report(testing::MessageFiller& filler, v1::Lane lane,
                                uint64_t sequence) {
  v1::StreamReportsRequest request;
  v1::ReportEnvelope& report = *request.mutable_report();
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
  return request;
}

v1::StreamReportsRequest HostHour(uint64_t epoch, uint64_t sequence,
                                  int64_t from) {
  v1::StreamReportsRequest request;
  v1::ReportEnvelope& report = *request.mutable_report();
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
  return request;
}

std::string NewRequest() { return BuildCsrDer(PrivateKey::GenerateP256()); }

// What the cluster's authority has certified; here any does.
std::string CertificateOf(const PrivateKey& key) {
  const auto authority = CertificateAuthority::Create(
      "Seed", absl::FromUnixSeconds(kHour), absl::FromUnixSeconds(2 * kHour));
  IssueSpec spec;
  spec.spki_der = key.PublicSpkiDer();
  spec.uri_sans = {absl::StrCat("spiffe://example.com/cluster/", kCluster)};
  spec.client_auth = true;
  spec.not_before = absl::FromUnixSeconds(kHour);
  spec.not_after = absl::FromUnixSeconds(kHour + 86400);
  return *authority->Issue(spec);
}

void PutIdentities(Corpus& corpus) {
  testing::MessageFiller filler = Filler();
  const PrivateKey key = *PrivateKey::FromPem(kClusterKey);
  const v1::CheckLicenseRequest license;
  v1::RenewCertificateRequest renewals[3];
  for (v1::RenewCertificateRequest& renewal : renewals) {
    renewal.set_agent_instance_id(kInstance);
    renewal.set_certificate_signing_request(NewRequest());
  }
  renewals[1].set_agent_instance_id(kNode);
  auto recover = filler.Make<v1::RecoverCertificateRequest>();
  recover.set_certificate_signing_request(NewRequest());
  auto forgetful = recover;
  forgetful.clear_previous_certificate();
  forgetful.clear_previous_key_signature();
  recover.set_previous_certificate(CertificateOf(key));
  recover.set_previous_key_signature(
      ProvePossession(key, recover.certificate_signing_request()));
  v1::AdoptClusterRequest adopt;
  adopt.set_cluster_id(kCluster);
  adopt.set_agent_instance_id(kInstance);
  corpus.PutCalls("service", "renew",
                  {{'H', &renewals[0]},
                   {'D', &license},
                   {'H', &renewals[1]},
                   {'H', &renewals[1]},
                   {'D', &license}});
  corpus.PutCalls("service", "clone",
                  {{'H', &renewals[0]},
                   {'H', &renewals[1]},
                   {'L', &adopt},
                   {'H', &renewals[1]},
                   {'H', &renewals[2]},
                   {'D', &license},
                   {'H', &renewals[1]}});
  corpus.PutCalls("service", "recover",
                  {{'C', &forgetful},
                   {'D', &license},
                   {'C', &forgetful},
                   {'C', &recover},
                   {'D', &license},
                   {'H', &renewals[0]}});
}

void PutService(Corpus& corpus) {
  testing::MessageFiller filler = Filler();
  const auto install = filler.Make<v1::InstallRequest>();
  auto registration = filler.Make<v1::RegisterRequest>();
  registration.set_certificate_signing_request(NewRequest());
  registration.set_site_public_key(
      PrivateKey::GenerateEd25519().Ed25519Public());
  auto plain = registration;
  plain.clear_enrollment_token();
  corpus.PutCalls("service", "enrollment",
                  {{'A', &install}, {'B', &registration}, {'B', &plain}});
  registration.set_license_key(kTokenLicenseKey);
  plain.set_license_key(kTokenLicenseKey);
  corpus.PutCalls("service", "enrollment_token",
                  {{'B', &plain}, {'B', &registration}});
  plain.set_license_key(kApproveLicenseKey);
  corpus.PutCalls("service", "enrollment_approve", {{'B', &plain}});
  const v1::CheckLicenseRequest license;
  const auto updates = filler.Make<v1::CheckUpdatesRequest>();
  v1::StreamReportsRequest hello;
  filler.Fill(*hello.mutable_hello());
  auto beat = filler.Make<v1::StreamHeartbeatsRequest>();
  auto gate = beat;
  gate.set_source_type(v1::SOURCE_TYPE_ACTIVE_GATE);
  gate.set_agent_instance_id(kInstance);
  corpus.PutCalls("service", "requests",
                  {{'D', &license},
                   {'G', &updates},
                   {'E', &hello},
                   {'F', &beat},
                   {'F', &gate},
                   {'F', &beat}});
  const auto settings = filler.Make<v1::FetchSettingsRequest>();
  const auto upload = filler.Make<v1::UploadDiagnosticsRequest>();
  const auto heads = filler.Make<v1::ExchangeAuditHeadsRequest>();
  corpus.PutCalls("service", "not_supported",
                  {{'I', &settings}, {'J', &upload}, {'K', &heads}});
  const auto health = Report(filler, v1::LANE_HEALTH, 1);
  const auto consumption = Report(filler, v1::LANE_BILLING, 1);
  const auto events = Report(filler, v1::LANE_EVENTS, 1);
  corpus.PutCalls("service", "health", {{'E', &health}});
  corpus.PutCalls("service", "consumption", {{'E', &consumption}});
  corpus.PutCalls("service", "events", {{'E', &events}});
  const auto a = HostHour(kEpoch, 1, kHour);
  const auto b = HostHour(kEpoch, 2, kHour + 900);
  const auto c = HostHour(kEpoch + 1, 1, kHour + 600);
  const auto d = HostHour(kEpoch, 5, kHour + 1800);
  corpus.PutCalls("service", "ledger",
                  {{'E', &a}, {'E', &b}, {'E', &c}, {'E', &d}});
}

v1::RecordUsageRequest Usage(testing::MessageFiller& filler) {
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
  return usage;
}

void PutAgent(Corpus& corpus) {
  testing::MessageFiller filler = Filler();
  const auto used = filler.Make<v1::RecordUsageRequest>();
  const auto usage = Usage(filler);
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

void PutLocal(Corpus& corpus) {
  testing::MessageFiller filler = Filler();
  const auto usage = Usage(filler);
  const auto traffic = filler.Make<v1::RecordTrafficRequest>();
  const auto environments = filler.Make<v1::DescribeEnvironmentsRequest>();
  const auto node = filler.Make<v1::DescribeNodeRequest>();
  const auto gates = filler.Make<v1::DescribeActiveGatesRequest>();
  const auto events = filler.Make<v1::RecordEventsRequest>();
  corpus.PutCalls("local", "product",
                  {{'D', &usage},
                   {'E', &traffic},
                   {'F', &environments},
                   {'G', &node},
                   {'H', &gates},
                   {'I', &events}});
  corpus.PutCalls("local", "usage", {{'D', &usage}, {'D', &usage}});
  const v1::GetStatusRequest status;
  const v1::ListOutboxRequest outbox;
  v1::GetOutboxReportRequest report;
  report.set_lane(v1::LANE_BILLING);
  report.set_epoch(1);
  report.set_sequence(1);
  const v1::ListReceiptsRequest receipts;
  v1::ListRecordedEventsRequest recorded;
  recorded.set_page_size(1);
  corpus.PutCalls("local", "outbox",
                  {{'I', &events},
                   {'M', &status},
                   {'N', &outbox},
                   {'O', &report},
                   {'P', &receipts},
                   {'Q', &recorded}});
  v1::CreateJoinTokenRequest token;
  token.set_uses(3);
  token.mutable_lifetime()->set_seconds(600);
  v1::ListNodesRequest nodes;
  nodes.set_page_size(1);
  v1::RemoveNodeRequest removed;
  removed.set_node_id(kNode);
  auto join = filler.Make<v1::JoinRequest>();
  join.set_certificate_signing_request(NewRequest());
  v1::RenewNodeCertificateRequest renew;
  renew.set_certificate_signing_request(NewRequest());
  v1::StreamNodeReportsRequest hello;
  filler.Fill(*hello.mutable_hello());
  v1::StreamNodeReportsRequest facts;
  filler.Fill(*facts.mutable_report());
  corpus.PutCalls("local", "site",
                  {{'A', &join},
                   {'C', &hello},
                   {'C', &facts},
                   {'B', &renew},
                   {'R', &token},
                   {'S', &nodes}});
  corpus.PutCalls("local", "site_removed",
                  {{'A', &join}, {'C', &facts}, {'T', &removed}, {'A', &join}});
  const auto privacy = filler.Make<v1::SetPrivacySettingsRequest>();
  const auto window = filler.Make<v1::SetUpdateWindowRequest>();
  const auto update = filler.Make<v1::StartUpdateRequest>();
  const auto decision = filler.Make<v1::DecideRemoteAccessRequest>();
  corpus.PutCalls(
      "local", "not_supported",
      {{'V', &privacy}, {'W', &window}, {'X', &update}, {'Z', &decision}});
}

// A frame of HTTP/2 (RFC 9113, 4.1), on stream 1.
std::string Http2Frame(uint8_t type, uint8_t flags, std::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) {
    frame += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  return frame.append(std::string("\0\0\0\1", 4)).append(payload);
}

void PutEdge(Corpus& corpus) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string v4 = signature + std::string("\x21\x11\0\x0c", 4) +
                         std::string("\xc0\0\2\1\xc0\0\2\2\x13\x88\1\xbb", 12);
  corpus.Put("edge", "proxy_v4", "A" + v4 + "\x16\3\1");
  corpus.Put("edge", "proxy_v6",
             "A" + signature + std::string("\x21\x21\0\x29", 4) +
                 std::string(16, '\x20') + std::string(16, '\x30') +
                 std::string("\x13\x88\1\xbb\4\0\2ab", 9));
  corpus.Put("edge", "proxy_local",
             "A" + signature + std::string("\x20\0\0\0", 4));
  corpus.Put("edge", "client_hello",
             "B" + std::string("\x16\3\1\0\x08\1\0\0\4abcd", 13));
  const std::string fields =
      std::string("\x83\x86\x44\x04/a/b\x40\x02te\x08trailers", 21) +
      std::string("\x10\x01k\x01v\x00\x01n\x81\x0f", 10);
  std::string frames = Http2Frame(4, 0, std::string("\0\3\0\0\0\x64", 6));
  frames += Http2Frame(8, 0, std::string("\0\0\xff\xff", 4));
  frames += Http2Frame(1, 4, fields);
  frames += Http2Frame(0, 1, std::string("\0\0\0\0\2ab", 7));
  frames += Http2Frame(6, 0, "12345678");
  corpus.Put("edge", "frames", "C" + frames);
  const std::string sizes = "\x3f\xe1\x1f";
  corpus.Put("edge", "frames_continued",
             "C" + Http2Frame(1, 0, sizes + fields.substr(0, 7)) +
                 Http2Frame(9, 0, fields.substr(7, 3)) +
                 Http2Frame(9, 4, fields.substr(10)));
  corpus.Put("edge", "frames_priority",
             "C" + Http2Frame(1, 0x25, "12345" + fields) +
                 Http2Frame(3, 0, std::string(4, '\0')));
  corpus.Put("edge", "header_block", "D" + sizes + fields);
  corpus.Put("edge", "header_block_number",
             "D" + std::string("\x7f\x80\x80\x80\x80\x01\x01v", 8));
  corpus.Put("edge", "header_block_fatal",
             "D" + std::string("\x40\x13grpclb_client_stats\x01x", 23));
  corpus.Put("edge", "headers",
             "E@te:trailers\n#aaaa\nFname:v\nDx:y\nA" + std::string(200, 'n') +
                 ":" + std::string(300, 'v'));
  corpus.Put("edge", "headers_fatal", "E@grpclb_client_stats:x");
  int count = 0;
  for (const char* text : {"192.0.2.0/24", "2001:db8::/32", "::ffff:192.0.2.1",
                           "2001:db8::1", "192.0.2.1/33"}) {
    corpus.Put("edge", absl::StrCat("network_", count++),
               absl::StrCat("F", text));
  }
  count = 0;
  for (const char* text : {"ipv4:192.0.2.1:5000", "ipv6:%5B2001:db8::1%5D:5000",
                           "ipv6:[fe80::1%eth0]:1", "unix:/run/front.sock"}) {
    corpus.Put("edge", absl::StrCat("peer_", count++), absl::StrCat("G", text));
  }
  count = 0;
  for (const char* text :
       {"/missioncontrol.v1.ClusterService/CheckLicense",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "//missioncontrol.v1.FleetService/CreateAccount"}) {
    corpus.Put("edge", absl::StrCat("method_", count++),
               absl::StrCat("H", text));
  }
  const PrivateKey key = *PrivateKey::FromPem(kClusterKey);
  corpus.Put("edge", "certificate",
             "I" + *CertificateDerToPem(CertificateOf(key)));
}

void PutHttp(Corpus& corpus) {
  constexpr char kGet[] = " HTTP/1.1\r\nHost: a\r\n";
  corpus.Put("http", "metrics_readyz",
             absl::StrCat("CGET /readyz", kGet, "\r\n"));
  corpus.Put("http", "metrics_metrics",
             absl::StrCat("CGET /metrics?x=%41&y", kGet,
                          "Accept-Encoding: gzip\r\nRange: bytes=0-1,3-\r\n"
                          "\r\n"));
  corpus.Put("http", "metrics_ranges",
             absl::StrCat("CGET /healthz", kGet, "Range: bytes=0-1",
                          std::string(1000, '-'), "\r\n\r\n"));
  corpus.Put("http", "metrics_post",
             absl::StrCat("CPOST /metrics", kGet,
                          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                          "0\r\n\r\n"));
  corpus.Put("http", "metrics_form",
             absl::StrCat("CPUT /", kGet,
                          "Content-Length: 40\r\n"
                          "Content-Type: multipart/form-data; boundary=b\r\n"
                          "\r\n--b\r\nContent-Disposition: form-data; "
                          "name=\"a\"\r\n\r\nv\r\n--b--\r\n"));
  corpus.Put("http", "metrics_two",
             absl::StrCat("CHEAD /healthz", kGet,
                          "Expect: 100-continue\r\n"
                          "Connection: keep-alive\r\n\r\nGET /readyz",
                          kGet, "\r\n"));
  constexpr char kLease[] =
      R"({"kind":"Lease","metadata":{"resourceVersion":"7"},)"
      R"("spec":{"holderIdentity":"somebody","leaseDurationSeconds":15}})";
  corpus.Put("http", "api_lease",
             absl::StrCat("DHTTP/1.1 200 OK\r\nContent-Type: application/json"
                          "\r\nContent-Length: ",
                          sizeof(kLease) - 1, "\r\n\r\n", kLease));
  corpus.Put("http", "api_chunked",
             absl::StrCat("DHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                          "\r\n\r\n",
                          absl::Hex(sizeof(kLease) - 1), "\r\n", kLease,
                          "\r\n0\r\n\r\n"));
  corpus.Put("http", "api_until_end",
             absl::StrCat("DHTTP/1.1 200\r\n\r\n", kLease));
  corpus.Put("http", "api_forbidden",
             "DHTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\n"
             R"({"message":"no!"})");
  corpus.Put("http", "api_elsewhere",
             "DHTTP/1.1 307 Moved\r\nLocation: https://example.com/\r\n"
             "Content-Length: 0\r\n\r\n");
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
  mc::fuzz::PutIdentities(corpus);
  mc::fuzz::PutEdge(corpus);
  mc::fuzz::PutHttp(corpus);
  mc::fuzz::PutLocal(corpus);
  mc::fuzz::PutAgent(corpus);
  mc::fuzz::PutCrypto(corpus);
  mc::fuzz::PutFiles(corpus);
  if (corpus.ok()) return 0;
  std::fprintf(stderr, "fuzz-seeds: cannot write below %s\n", argv[1]);
  return 1;
}

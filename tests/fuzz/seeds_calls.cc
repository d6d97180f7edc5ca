// Seeds of the targets of calls.
#include "absl/strings/str_cat.h"
#include "common/crypto/csr.h"
#include "common/crypto/possession.h"
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
#include "tests/fuzz/names.h"
#include "tests/fuzz/seeds.h"
#include "tests/support/message_filler.h"

namespace mc::fuzz {
namespace {

namespace v1 = missioncontrol::v1;

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

// Its documents say the same as the typed copies; the target signs them.
v1::CheckUpdatesResponse Updates(testing::MessageFiller& filler) {
  auto updates = filler.Make<v1::CheckUpdatesResponse>();
  v1::ReleaseDocument release;
  release.set_kind(v1::DOCUMENT_KIND_RELEASE);
  release.set_component(v1::COMPONENT_CLUSTER);
  v1::ClusterUpdate& cluster = *updates.mutable_cluster();
  release.set_version(cluster.version());
  release.set_description(cluster.description());
  *release.add_artifacts() = cluster.artifact();
  release.set_minimum_required_version(cluster.minimum_required_version());
  *release.mutable_announced_at() = cluster.announced_at();
  *release.mutable_not_before() = cluster.not_before();
  *release.mutable_install_by() = cluster.install_by();
  cluster.mutable_signed_release()->set_document(release.SerializeAsString());
  v1::ReleaseDocument agent;
  agent.set_kind(v1::DOCUMENT_KIND_RELEASE);
  agent.set_component(v1::COMPONENT_ONE_AGENT);
  agent.set_version("1.2.3");
  v1::ComponentUpdate& one_agent = *updates.add_one_agents();
  one_agent.set_version("1.2.3");
  one_agent.mutable_signed_release()->set_document(agent.SerializeAsString());
  return updates;
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

}  // namespace

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
  auto answer = filler.Make<v1::CheckLicenseResponse>();
  *answer.mutable_license() = license;
  answer.mutable_signed_license()->set_document(license.SerializeAsString());
  const auto updates = Updates(filler);
  auto succession = filler.Make<v1::KeySuccessionDocument>();
  succession.set_kind(v1::DOCUMENT_KIND_KEY_SUCCESSION);
  for (v1::SignedDocument& document : *answer.mutable_key_successions()) {
    document.set_document(succession.SerializeAsString());
  }
  corpus.PutCalls("agent", "license", {{'F', &license}, {'G', &answer}});
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

}  // namespace mc::fuzz

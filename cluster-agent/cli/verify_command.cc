// `usage verify`: an invoice against what the site has in hand.
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/cli/json.h"
#include "cluster-agent/cli/outbox_commands.h"
#include "cluster-agent/cli/state_files.h"
#include "cluster-agent/domain/documents/documents.h"
#include "cluster-agent/domain/invoice/evidence.h"
#include "cluster-agent/domain/invoice/invoice.h"
#include "cluster-agent/outbox/reader.h"
#include "cluster-agent/state/state_directory.h"
#include "common/crypto/digest.h"
#include "common/crypto/document.h"
#include "common/files/files.h"
#include "common/time/clock.h"
#include "google/protobuf/struct.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr size_t kMaxInvoiceBytes = size_t{1} << 30;
constexpr int kPage = 1000;

struct Site {
  std::string cluster_id;
  DocumentKeys keys;
};

absl::StatusOr<Site> ReadSite(const Configuration& configuration) {
  absl::StatusOr<std::string> cluster_id = ReadPrivateFile(absl::StrCat(
      configuration.values.state_directory(), "/", state_files::kClusterId));
  if (!cluster_id.ok()) return cluster_id.status();
  absl::StripAsciiWhitespace(&*cluster_id);
  const auto registration = ReadStateFile<config::AgentRegistration>(
      configuration, state_files::kRegistration);
  if (!registration.ok()) return registration.status();
  return Site{*cluster_id,
              {registration->document_keys().begin(),
               registration->document_keys().end()}};
}

// OK where the document is this cluster's receipt of this report, signed.
absl::StatusOr<v1::ConsumptionReceiptDocument> Believe(
    const KeptReceipt& receipt, const Site& site) {
  if (!receipt.document.has_value()) {
    return absl::DataLossError("it is damaged on this disk");
  }
  auto document = VerifyDocument<v1::ConsumptionReceiptDocument>(
      *receipt.document, site.keys, v1::DOCUMENT_KIND_CONSUMPTION_RECEIPT);
  if (!document.ok()) return document;
  if (document->cluster_id() != site.cluster_id ||
      document->epoch() != receipt.epoch ||
      document->sequence() != receipt.sequence) {
    return absl::UnauthenticatedError("it is signed for another report");
  }
  return document;
}

// Adds the report where it is kept and is what was received.
absl::Status AddReport(const OutboxReader& reader,
                       const v1::ConsumptionReceiptDocument& receipt,
                       Evidence& evidence) {
  const absl::StatusOr<FoundReport> found =
      reader.Find({v1::LANE_BILLING, receipt.epoch(), receipt.sequence()},
                  RealClock().Now());
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  v1::StreamReportsRequest request;
  if (Sha256(found->request) == receipt.report_sha256() &&
      request.ParseFromString(found->request)) {
    evidence.AddReport(receipt.epoch(), request.report().consumption());
  }
  return absl::OkStatus();
}

absl::StatusOr<Evidence> Collect(const OutboxReader& reader, const Site& site) {
  Evidence evidence;
  std::string token;
  do {
    const absl::StatusOr<KeptReceipts> page = reader.ListReceipts(kPage, token);
    if (!page.ok()) return page.status();
    for (const KeptReceipt& receipt : page->receipts) {
      const auto document = Believe(receipt, site);
      if (!document.ok()) {
        evidence.AddBadReceipt(receipt.epoch, receipt.sequence,
                               std::string(document.status().message()));
        continue;
      }
      evidence.AddReceipt(*document);
      const absl::Status added = AddReport(reader, *document, evidence);
      if (!added.ok()) return added;
    }
    token = page->next_page_token;
  } while (!token.empty());
  return evidence;
}

struct Result {
  int64_t lines = 0;
  int64_t other_clusters = 0;
  int64_t compared = 0;
  // Number of the line and what is wrong with it.
  std::vector<std::pair<int64_t, std::string>> problems;
};

absl::Status Print(const Result& result, bool json) {
  if (!json) {
    for (const auto& [line, problem] : result.problems) {
      std::cout << "line " << line << ": " << problem << "\n";
    }
    std::cout << result.lines << " lines of this cluster, "
              << result.problems.size()
              << " problems; quantities compared: " << result.compared
              << "; lines of other clusters: " << result.other_clusters << "\n";
    return absl::OkStatus();
  }
  google::protobuf::Struct out;
  auto& fields = *out.mutable_fields();
  fields["lines"].set_number_value(static_cast<double>(result.lines));
  fields["compared"].set_number_value(static_cast<double>(result.compared));
  fields["otherClusters"].set_number_value(
      static_cast<double>(result.other_clusters));
  auto& list = *fields["problems"].mutable_list_value();
  for (const auto& [line, problem] : result.problems) {
    auto& entry = *list.add_values()->mutable_struct_value()->mutable_fields();
    entry["line"].set_number_value(static_cast<double>(line));
    entry["problem"].set_string_value(problem);
  }
  return PrintJson(out);
}

}  // namespace

absl::Status VerifyInvoice(const CommonArguments& common,
                           const std::string& file, bool& agrees) {
  const auto configuration = LoadConfiguration(common.config_file);
  if (!configuration.ok()) return configuration.status();
  const absl::StatusOr<std::string> csv = ReadFile(file, kMaxInvoiceBytes);
  if (!csv.ok()) return csv.status();
  const auto lines = ParseInvoice(*csv);
  if (!lines.ok()) return lines.status();
  const absl::StatusOr<Site> site = ReadSite(*configuration);
  if (!site.ok()) return site.status();
  const auto reader = OutboxReader::Open(configuration->OutboxFile());
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<Evidence> evidence = Collect(**reader, *site);
  if (!evidence.ok()) return evidence.status();
  Result result;
  for (const InvoiceLine& line : *lines) {
    if (line.cluster_id != site->cluster_id) {
      ++result.other_clusters;
      continue;
    }
    ++result.lines;
    const LineVerdict verdict = evidence->Check(line);
    if (verdict.compared) ++result.compared;
    for (const std::string& problem : verdict.problems) {
      result.problems.emplace_back(line.number, problem);
    }
  }
  agrees = result.problems.empty();
  return Print(result, common.json);
}

}  // namespace mc::agent

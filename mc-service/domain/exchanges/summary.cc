#include "mc-service/domain/exchanges/summary.h"

#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/time/proto_time.h"

namespace mc::service {
namespace {

constexpr size_t kShownIdSize = 12;

absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

std::string Count(int64_t count, std::string_view noun) {
  return absl::StrCat(count, " ", View(noun), count == 1 ? "" : "s");
}

double GiB(double bytes) { return bytes / (int64_t{1} << 30); }

std::string SummarizeHealth(const v1::HealthCheck& check) {
  double load = 0;
  double total = 0;
  double free = 0;
  for (const v1::NodeHealth& node : check.nodes()) {
    load += node.cpu_load();
    total += static_cast<double>(node.total_memory_bytes());
    free += static_cast<double>(node.free_memory_bytes());
  }
  return absl::StrFormat("%s, cpu %.2f, memory %.1f of %.1f GiB free",
                         Count(check.nodes_size(), "node"), load, GiB(free),
                         GiB(total));
}

std::string SummarizeFrame(const v1::TimeFrame& frame) {
  const absl::StatusOr<absl::Time> start = FromProto(frame.start());
  const absl::StatusOr<absl::Time> end = FromProto(frame.end());
  if (!start.ok() || !end.ok()) return "no valid time frame";
  return absl::StrCat(
      absl::FormatTime("%Y-%m-%dT%H:%MZ", *start, absl::UTCTimeZone()), "/",
      absl::FormatDuration(*end - *start));
}

std::string SummarizeUsage(const v1::Consumption& consumption) {
  int64_t hosts = 0;
  // Not checked yet: the sum must not overflow.
  uint64_t sessions = 0;
  uint64_t executions = 0;
  for (const v1::EnvironmentConsumption& e : consumption.environments()) {
    hosts += e.hosts_size();
    sessions += static_cast<uint64_t>(e.rum_sessions());
    for (const v1::SyntheticMonitorConsumption& m : e.synthetic_monitors()) {
      executions += static_cast<uint64_t>(m.success_count()) +
                    static_cast<uint64_t>(m.failure_count());
    }
  }
  std::vector<std::string> parts = {
      SummarizeFrame(consumption.time_frame()),
      Count(consumption.environments_size(), "environment"),
      Count(hosts, "host"), Count(static_cast<int64_t>(sessions), "session")};
  if (executions > 0) {
    parts.push_back(
        Count(static_cast<int64_t>(executions), "synthetic execution"));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace

std::string Summarize(const v1::ReportEnvelope& report) {
  switch (report.payload_case()) {
    case v1::ReportEnvelope::kHealthCheck:
      return SummarizeHealth(report.health_check());
    case v1::ReportEnvelope::kConsumption:
      return SummarizeUsage(report.consumption());
    case v1::ReportEnvelope::kClusterEvents:
      return Count(report.cluster_events().events_size(), "event");
    case v1::ReportEnvelope::PAYLOAD_NOT_SET:
      break;
  }
  return "no payload";
}

std::string Summarize(const v1::StreamHeartbeatsRequest& beat) {
  const std::string& id = beat.node_id();
  const std::string type =
      v1::SourceType_IsValid(beat.source_type())
          ? std::string(absl::StripPrefix(
                v1::SourceType_Name(beat.source_type()), "SOURCE_TYPE_"))
          : absl::StrCat(static_cast<int>(beat.source_type()));
  return absl::StrCat("node ", id.substr(0, kShownIdSize),
                      id.size() > kShownIdSize ? "…" : "", " ", type);
}

std::string SummaryWith(const v1::ReportReceipt& receipt,
                        std::string_view summary) {
  if (receipt.has_rejection()) return receipt.rejection().message();
  if (!receipt.has_health_check()) return std::string(summary);
  return absl::StrCat(
      absl::StripPrefix(v1::HealthStatus_Name(receipt.health_check().status()),
                        "HEALTH_STATUS_"),
      ", ", View(summary));
}

}  // namespace mc::service

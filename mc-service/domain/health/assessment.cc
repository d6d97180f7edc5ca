#include "mc-service/domain/health/assessment.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace mc::service {
namespace {

constexpr int kNearlyFullPercent = 90;

bool Runs(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_STARTING:
      return true;
    case v1::RUN_STATE_UNSPECIFIED:
      // The site could not tell, for instance because no integration reports
      // on its product. What is not known is no reason for an alarm: a silent
      // node has a state of its own (SILENT), and missing beats show in the
      // cluster's presence.
      return true;
    default:
      return false;
  }
}

// "STOPPED", or the number of a state that is newer than this service.
std::string StateName(v1::RunState state) {
  if (!v1::RunState_IsValid(state)) {
    return absl::StrCat("state ", static_cast<int>(state));
  }
  return std::string(absl::StripPrefix(v1::RunState_Name(state), "RUN_STATE_"));
}

bool NearlyFull(const v1::StoragePartition& partition) {
  return absl::int128(partition.used_bytes()) * 100 >
         absl::int128(partition.total_bytes()) * kNearlyFullPercent;
}

v1::Finding NotRunning(std::string code, const std::string& what,
                       v1::RunState state) {
  v1::Finding finding;
  finding.set_severity(v1::HEALTH_STATUS_CRITICAL);
  finding.set_code(std::move(code));
  finding.set_message(
      absl::StrCat(what, " is not running (", StateName(state), ")."));
  return finding;
}

void AssessNode(const v1::NodeHealth& node, std::vector<v1::Finding>& found) {
  if (!Runs(node.server_state())) {
    v1::Finding& finding = found.emplace_back(
        NotRunning("NODE_NOT_RUNNING", absl::StrCat("Node ", node.node_id()),
                   node.server_state()));
    finding.set_node_id(node.node_id());
    finding.set_subject(node.node_id());
  }
  for (const v1::ServiceHealth& service : node.services()) {
    if (Runs(service.state())) continue;
    v1::Finding& finding = found.emplace_back(NotRunning(
        "SERVICE_NOT_RUNNING",
        absl::StrCat("Service ", service.name(), " on node ", node.node_id()),
        service.state()));
    finding.set_node_id(node.node_id());
    finding.set_subject(service.name());
  }
  for (const v1::StoragePartition& partition : node.partitions()) {
    if (!NearlyFull(partition)) continue;
    v1::Finding& finding = found.emplace_back();
    finding.set_severity(v1::HEALTH_STATUS_WARNING);
    finding.set_code("PARTITION_NEARLY_FULL");
    finding.set_message(absl::StrCat(
        "Partition ", partition.label(), " of node ", node.node_id(),
        " is more than ", kNearlyFullPercent, " % full."));
    finding.set_node_id(node.node_id());
    finding.set_subject(partition.label());
  }
}

std::string Summary(const std::vector<v1::Finding>& found) {
  if (found.empty()) return "Everything runs and has room.";
  const std::string& first = found.front().message();
  if (found.size() == 1) return first;
  return absl::StrCat(absl::StripSuffix(first, "."), ", and there ",
                      found.size() == 2 ? "is 1 more finding."
                                        : absl::StrCat("are ", found.size() - 1,
                                                       " more findings."));
}

}  // namespace

v1::HealthCheckResult Assess(const v1::HealthCheck& health_check) {
  std::vector<v1::Finding> found;
  for (const v1::NodeHealth& node : health_check.nodes()) {
    AssessNode(node, found);
  }
  for (const v1::ActiveGateHealth& gate : health_check.active_gates()) {
    if (Runs(gate.status())) continue;
    found
        .emplace_back(NotRunning(
            "ACTIVE_GATE_NOT_RUNNING",
            absl::StrCat("ActiveGate ", gate.active_gate_id()), gate.status()))
        .set_subject(gate.active_gate_id());
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const v1::Finding& a, const v1::Finding& b) {
                     return a.severity() > b.severity();
                   });
  v1::HealthCheckResult result;
  result.set_status(found.empty() ? v1::HEALTH_STATUS_HEALTHY
                                  : found.front().severity());
  result.set_message(Summary(found));
  if (found.size() > kMaxFindings) found.resize(kMaxFindings);
  for (v1::Finding& finding : found) {
    *result.add_findings() = std::move(finding);
  }
  return result;
}

}  // namespace mc::service

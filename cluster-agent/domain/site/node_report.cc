#include "cluster-agent/domain/site/node_report.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr int kMaxPartitions = 64;
constexpr int kMaxServices = 256;
constexpr int kMaxActiveGates = 256;

}  // namespace

absl::Status CheckNodeReport(const v1::NodeReport& report) {
  absl::Status status = CheckMessage(report);
  if (!status.ok()) return status;
  if (report.node().partitions_size() > kMaxPartitions) {
    return InvalidField("node.partitions", "more than 64");
  }
  if (report.node().services_size() > kMaxServices) {
    return InvalidField("node.services", "more than 256");
  }
  if (report.active_gates_size() > kMaxActiveGates) {
    return InvalidField("active_gates", "more than 256");
  }
  std::set<std::string> ids;
  for (int i = 0; i < report.active_gates_size(); ++i) {
    const std::string& id = report.active_gates(i).active_gate_id();
    if (id.empty() || !ids.insert(id).second) {
      return InvalidField(absl::StrCat("active_gates[", i, "].active_gate_id"),
                          "each ActiveGate needs an ID of its own");
    }
  }
  return absl::OkStatus();
}

}  // namespace mc::agent

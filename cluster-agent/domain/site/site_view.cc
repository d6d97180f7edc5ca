#include "cluster-agent/domain/site/site_view.h"

#include <set>
#include <utility>

#include "cluster-agent/domain/site/site_identity.h"
#include "common/status/status.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

v1::NodeEntry EntryOf(const KnownNode& node) {
  v1::NodeEntry entry;
  entry.set_node_id(node.node_id);
  entry.set_state(node.state);
  *entry.mutable_joined_at() = ToProto(node.joined_at);
  if (node.last_report_at.has_value()) {
    *entry.mutable_last_report_at() = ToProto(*node.last_report_at);
  }
  entry.set_agent_version(node.agent_version);
  *entry.mutable_certificate_not_after() = ToProto(node.certificate_not_after);
  entry.set_active_gates(node.report.active_gates_size());
  return entry;
}

}  // namespace

void AddNodes(const std::vector<KnownNode>& nodes, v1::HealthCheck& check) {
  for (const KnownNode& known : nodes) {
    v1::NodeHealth& node = *check.add_nodes();
    node = known.report.node();
    node.set_node_id(known.node_id);
    node.set_agent_version(known.agent_version);
    node.set_master(false);
    if (known.state != v1::NODE_STATE_SILENT) continue;
    node.set_server_state(v1::RUN_STATE_SILENT);
    for (v1::ServiceHealth& service : *node.mutable_services()) {
      service.set_state(v1::RUN_STATE_SILENT);
    }
  }
}

std::vector<v1::ActiveGateHealth> SiteActiveGates(
    std::vector<v1::ActiveGateHealth> own,
    const std::vector<KnownNode>& nodes) {
  std::vector<v1::ActiveGateHealth> gates = std::move(own);
  std::set<std::string> ids;
  for (const v1::ActiveGateHealth& gate : gates) {
    ids.insert(gate.active_gate_id());
  }
  for (const v1::NodeState state :
       {v1::NODE_STATE_LIVE, v1::NODE_STATE_JOINED, v1::NODE_STATE_SILENT}) {
    for (const KnownNode& node : nodes) {
      if (node.state != state) continue;
      for (const v1::ActiveGateHealth& gate : node.report.active_gates()) {
        if (!ids.insert(gate.active_gate_id()).second) continue;
        gates.push_back(gate);
        if (state == v1::NODE_STATE_SILENT) {
          gates.back().set_status(v1::RUN_STATE_SILENT);
        }
      }
    }
  }
  return gates;
}

std::vector<v1::StreamHeartbeatsRequest> SiteBeats(
    const std::string& master_node_id,
    std::vector<v1::ActiveGateHealth> own_gates,
    const std::vector<KnownNode>& nodes) {
  std::vector<v1::StreamHeartbeatsRequest> beats;
  const auto add = [&beats](const std::string& id, v1::SourceType source) {
    v1::StreamHeartbeatsRequest& beat = beats.emplace_back();
    beat.set_node_id(id);
    beat.set_source_type(source);
  };
  add(master_node_id, v1::SOURCE_TYPE_SERVER);
  std::vector<KnownNode> live;
  for (const KnownNode& node : nodes) {
    if (node.state != v1::NODE_STATE_LIVE) continue;
    add(node.node_id, v1::SOURCE_TYPE_SERVER);
    live.push_back(node);
  }
  for (const v1::ActiveGateHealth& gate :
       SiteActiveGates(std::move(own_gates), live)) {
    if (gate.status() == v1::RUN_STATE_RUNNING) {
      add(gate.active_gate_id(), v1::SOURCE_TYPE_ACTIVE_GATE);
    }
  }
  return beats;
}

absl::StatusOr<v1::ListNodesResponse> ListNodes(
    const v1::NodeEntry& master, const std::vector<KnownNode>& nodes,
    const v1::ListNodesRequest& request) {
  const int size =
      request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  if (size < 0 || size > kMaxPageSize) {
    return InvalidField("page_size", "must be from 1 to 1000");
  }
  // The last node of the page before.
  const std::string& after = request.page_token();
  if (!after.empty() && !IsNodeId(after)) {
    return InvalidField("page_token", "is not one that a list ended with");
  }
  v1::ListNodesResponse response;
  if (after.empty()) *response.add_nodes() = master;
  for (const KnownNode& node : nodes) {
    if (!after.empty() && after != master.node_id() && node.node_id <= after) {
      continue;
    }
    if (response.nodes_size() == size) {
      response.set_next_page_token(
          response.nodes(response.nodes_size() - 1).node_id());
      break;
    }
    *response.add_nodes() = EntryOf(node);
  }
  return response;
}

void CountNodes(const std::vector<KnownNode>& nodes,
                v1::GetStatusResponse& status) {
  int live = 1;
  int silent = 0;
  for (const KnownNode& node : nodes) {
    if (node.state == v1::NODE_STATE_LIVE) ++live;
    if (node.state == v1::NODE_STATE_SILENT) ++silent;
  }
  status.set_live_nodes(live);
  status.set_silent_nodes(silent);
}

}  // namespace mc::agent

#include "cluster-agent/domain/health/health_builder.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/cgroup.h"
#include "cluster-agent/collect/machine.h"
#include "cluster-agent/collect/partitions.h"
#include "cluster-agent/collect/process.h"
#include "cluster-agent/collect/time_zone.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/site/site_view.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"
#include "missioncontrol/v1/installation.pb.h"

namespace mc::agent {
namespace {

namespace v1 = missioncontrol::v1;

absl::Status FillMachine(const HealthSources& sources, v1::NodeHealth& node) {
  const OsRelease os = ReadOsRelease(sources.collect);
  node.set_os_name(os.name);
  node.set_os_version(os.version);
  node.set_cpu_cores(ProcessorCount());
  const absl::StatusOr<double> load = ReadLoadAverage(sources.collect);
  if (!load.ok()) return load.status();
  node.set_cpu_load(*load);
  const absl::StatusOr<Memory> memory = ReadMemory(sources.collect);
  if (!memory.ok()) return memory.status();
  node.set_total_memory_bytes(memory->total_bytes);
  node.set_free_memory_bytes(memory->available_bytes);
  return absl::OkStatus();
}

void FillPartitions(const HealthSources& sources, BuiltNode& built) {
  v1::NodeHealth& node = built.node;
  PartitionReport report =
      ReadPartitions(sources.collect, PartitionsOf(*sources.values));
  for (const Partition& partition : report.partitions) {
    v1::StoragePartition& out = *node.add_partitions();
    out.set_label(partition.label);
    out.set_total_bytes(partition.total_bytes);
    out.set_used_bytes(partition.used_bytes);
  }
  for (absl::Status& error : report.errors) {
    built.missing.push_back(std::move(error));
  }
}

// Of the product's server as its PID file names it. A file that is missing, as
// after an orderly stop, means that it does not run.
absl::StatusOr<ProcessFacts> ReadServer(const HealthSources& sources) {
  const std::string& file = sources.values->product().pid_file();
  absl::StatusOr<std::string> text = ReadFile(file, 64);
  if (absl::IsNotFound(text.status())) return ProcessFacts();
  if (!text.ok()) return text.status();
  absl::StripAsciiWhitespace(&*text);
  int32_t pid = 0;
  if (!absl::SimpleAtoi(*text, &pid) || pid < 1) {
    return absl::DataLossError(
        absl::StrCat(file, " (product.pid_file) holds no process ID"));
  }
  return ReadProcess(sources.collect, pid);
}

absl::Status FillServer(const HealthSources& sources,
                        const v1::DescribeNodeRequest& described,
                        BuiltNode& built) {
  v1::NodeHealth& node = built.node;
  if (!sources.values->product().pid_file().empty()) {
    const absl::StatusOr<ProcessFacts> server = ReadServer(sources);
    if (!server.ok()) {
      built.missing.push_back(server.status());
    } else if (server->alive) {
      node.set_server_state(v1::RUN_STATE_RUNNING);
      *node.mutable_started_at() = mc::ToProto(server->started_at);
    } else {
      node.set_server_state(v1::RUN_STATE_STOPPED);
    }
  } else {
    // Nothing tells of a server of its own: the machine is what serves, and as
    // it answers here, it has been running since it was booted.
    const absl::StatusOr<absl::Time> boot = ReadBootTime(sources.collect);
    if (!boot.ok()) return boot.status();
    node.set_server_state(v1::RUN_STATE_RUNNING);
    *node.mutable_started_at() = mc::ToProto(*boot);
  }
  // The product knows best.
  if (described.server_state() != v1::RUN_STATE_UNSPECIFIED) {
    node.set_server_state(described.server_state());
  }
  if (described.has_started_at()) {
    *node.mutable_started_at() = described.started_at();
  }
  return absl::OkStatus();
}

void FillServices(const HealthSources& sources,
                  const v1::DescribeNodeRequest& described,
                  v1::NodeHealth& node) {
  std::set<std::string> names;
  for (const v1::ServiceHealth& service : described.services()) {
    if (names.insert(service.name()).second) *node.add_services() = service;
  }
  for (const v1::ServiceHealth& service : sources.inventory->services()) {
    if (names.insert(service.name()).second) *node.add_services() = service;
  }
}

void FillLimits(const HealthSources& sources, BuiltNode& built) {
  v1::NodeHealth& node = built.node;
  const std::string& cgroup = sources.values->product().cgroup();
  if (cgroup.empty()) return;
  const absl::StatusOr<CgroupLimits> limits =
      ReadCgroupLimits(sources.collect, cgroup);
  if (!limits.ok()) {
    built.missing.push_back(limits.status());
    return;
  }
  if (limits->memory_bytes.has_value()) {
    node.set_memory_limit_bytes(*limits->memory_bytes);
  }
  if (limits->cpu_millicores.has_value()) {
    node.set_cpu_limit_millicores(*limits->cpu_millicores);
  }
}

}  // namespace

v1::PrivacySettings EffectivePrivacy(
    const missioncontrol::config::v1::AgentConfig& values) {
  v1::PrivacySettings settings = values.privacy_settings();
  if (settings.remote_access() == v1::REMOTE_ACCESS_POLICY_UNSPECIFIED) {
    settings.set_remote_access(v1::REMOTE_ACCESS_POLICY_OFF);
  }
  return settings;
}

absl::StatusOr<std::string> ProductVersion(const HealthSources& sources) {
  const std::string described = sources.description->node().product_version();
  if (!described.empty()) return described;
  const missioncontrol::config::v1::Product& product =
      sources.values->product();
  if (product.version_file().empty()) return product.version();
  const absl::StatusOr<std::string> text = ReadFile(product.version_file());
  if (!text.ok()) return text.status();
  v1::InstallRequest version;
  version.set_product_version(std::string(
      absl::StripAsciiWhitespace(text->substr(0, text->find('\n')))));
  if (version.product_version().empty() || !CheckMessage(version).ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        product.version_file(),
        " (product.version_file) does not begin with a line that is a "
        "version, for instance 1.2.3"));
  }
  return version.product_version();
}

std::vector<v1::ActiveGateHealth> KnownActiveGates(
    const HealthSources& sources) {
  std::vector<v1::ActiveGateHealth> gates;
  std::set<std::string> ids;
  const v1::DescribeActiveGatesRequest described =
      sources.description->active_gates();
  for (const v1::ActiveGateHealth& gate : described.active_gates()) {
    if (ids.insert(gate.active_gate_id()).second) gates.push_back(gate);
  }
  for (const v1::ActiveGateHealth& gate : sources.inventory->active_gates()) {
    if (ids.insert(gate.active_gate_id()).second) gates.push_back(gate);
  }
  return gates;
}

absl::StatusOr<BuiltNode> BuildNodeHealth(const HealthSources& sources) {
  const v1::DescribeNodeRequest described = sources.description->node();
  BuiltNode built;
  v1::NodeHealth& node = built.node;
  node.set_node_id(sources.node_id);
  node.set_agent_version(sources.agent_version);
  absl::Status status = FillMachine(sources, node);
  if (status.ok()) status = FillServer(sources, described, built);
  if (!status.ok()) return status;
  FillPartitions(sources, built);
  FillServices(sources, described, node);
  FillLimits(sources, built);
  const absl::StatusOr<std::string> version = ProductVersion(sources);
  if (version.ok()) {
    node.set_product_version(*version);
  } else {
    built.missing.push_back(version.status());
  }
  return built;
}

absl::StatusOr<BuiltHealth> BuildHealthCheck(const HealthSources& sources,
                                             absl::Time now) {
  BuiltHealth built;
  v1::HealthCheck& check = built.check;
  check.set_cluster_id(sources.cluster_id);
  *check.mutable_observed_at() = mc::ToProto(now);
  *check.mutable_privacy_settings() = EffectivePrivacy(*sources.values);
  if (sources.values->has_update_window()) {
    *check.mutable_update_window() = sources.values->update_window();
  }
  const absl::StatusOr<std::string> zone =
      ReadTimeZone(sources.collect, sources.values->time_zone());
  if (!zone.ok()) return zone.status();
  check.set_time_zone(*zone);

  absl::StatusOr<BuiltNode> own = BuildNodeHealth(sources);
  if (!own.ok()) return own.status();
  own->node.set_master(true);
  *check.add_nodes() = std::move(own->node);
  built.missing = std::move(own->missing);
  const std::vector<KnownNode> others =
      sources.other_nodes ? sources.other_nodes() : std::vector<KnownNode>();
  AddNodes(others, check);
  for (v1::ActiveGateHealth& gate :
       SiteActiveGates(KnownActiveGates(sources), others)) {
    *check.add_active_gates() = std::move(gate);
  }
  return built;
}

}  // namespace mc::agent

#include "cluster-agent/domain/inventory/inventory.h"

#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "cluster-agent/domain/usage/check.h"
#include "common/config/yaml_config.h"
#include "common/crypto/digest.h"
#include "common/status/status.h"
#include "common/wire/check.h"

namespace mc::agent {
namespace {

using missioncontrol::config::v1::Inventory;
using missioncontrol::config::v1::InventoryEnvironment;
using missioncontrol::config::v1::InventoryHost;
using missioncontrol::v1::UsageRecord;

UsageRecord HostRecord(const InventoryEnvironment& environment,
                       const InventoryHost& host, const TimeFrame& interval) {
  UsageRecord record;
  record.set_environment_id(environment.environment_id());
  missioncontrol::v1::HostInterval& out = *record.mutable_host();
  out.set_host_id(host.host_id());
  out.set_host_category(host.host_category());
  out.set_memory_bytes(host.memory_bytes());
  *out.mutable_technologies() = host.technologies();
  *out.mutable_monitored() = ToProto(interval);
  // IDs hold no spaces, so different hosts give different texts.
  record.set_idempotency_key(absl::StrCat(
      "inventory-",
      Hex(Sha256(absl::StrCat(environment.environment_id(), " ", host.host_id(),
                              " ", absl::ToUnixNanos(interval.start), " ",
                              absl::ToUnixNanos(interval.end))))));
  return record;
}

// An ID that must be there and must not come twice.
absl::Status Add(std::set<std::string>& known, const std::string& id,
                 const std::string& field, std::string_view twice) {
  if (id.empty()) return InvalidField(field, "must be set");
  if (!known.insert(id).second) {
    return InvalidField(
        field, absl::StrCat("\"", id, "\" ",
                            absl::string_view(twice.data(), twice.size())));
  }
  return absl::OkStatus();
}

absl::Status CheckHost(const InventoryEnvironment& environment,
                       const InventoryHost& host, const std::string& place,
                       std::set<std::string>& hosts) {
  absl::Status status =
      Add(hosts, host.host_id(), place + ".host_id",
          "comes twice; a host is paid for in one environment only");
  if (!status.ok()) return status;
  if (host.memory_bytes() <= 0) {
    return InvalidField(place + ".memory_bytes",
                        "must be the host's memory in bytes");
  }
  // As a record of the product would be, and with the same errors.
  // The time is any that a record may have: 2020-01-01T00:00:00Z.
  const absl::Time some = absl::FromUnixSeconds(1577836800);
  const TimeFrame second = {some, some + absl::Seconds(1)};
  status = CheckUsageRecord(HostRecord(environment, host, second), second.end);
  if (status.ok()) return status;
  return InvalidField(place,
                      {status.message().data(), status.message().size()});
}

}  // namespace

absl::StatusOr<Inventory> LoadInventory(const std::string& path) {
  Inventory inventory;
  absl::Status status = LoadYaml(path, &inventory);
  if (!status.ok()) return status;
  status = CheckInventory(inventory);
  if (status.ok()) return inventory;
  std::string field;
  if (const auto info = ErrorInfoOf(status); info.has_value()) {
    const auto entry = info->metadata().find("field");
    if (entry != info->metadata().end()) field = entry->second;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": ", field, field.empty() ? "" : ": ", status.message()));
}

absl::Status CheckInventory(const Inventory& inventory) {
  std::set<std::string> environments;
  std::set<std::string> hosts;
  std::set<std::string> services;
  std::set<std::string> gates;
  for (int i = 0; i < inventory.environments_size(); ++i) {
    const InventoryEnvironment& environment = inventory.environments(i);
    const std::string place = absl::StrCat("environments[", i, "]");
    absl::Status status =
        Add(environments, environment.environment_id(),
            place + ".environment_id", "comes twice; put its hosts together");
    for (int j = 0; status.ok() && j < environment.hosts_size(); ++j) {
      status = CheckHost(environment, environment.hosts(j),
                         absl::StrCat(place, ".hosts[", j, "]"), hosts);
    }
    if (!status.ok()) return status;
  }
  for (int i = 0; i < inventory.services_size(); ++i) {
    absl::Status status =
        Add(services, inventory.services(i).name(),
            absl::StrCat("services[", i, "].name"), "comes twice");
    if (status.ok()) status = CheckMessage(inventory.services(i));
    if (!status.ok()) return status;
  }
  for (int i = 0; i < inventory.active_gates_size(); ++i) {
    absl::Status status = Add(
        gates, inventory.active_gates(i).active_gate_id(),
        absl::StrCat("active_gates[", i, "].active_gate_id"), "comes twice");
    if (status.ok()) status = CheckMessage(inventory.active_gates(i));
    if (!status.ok()) return status;
  }
  missioncontrol::v1::DescribeEnvironmentsRequest ids;
  for (const std::string& id : environments) ids.add_environment_ids(id);
  return CheckMessage(ids);
}

std::vector<std::string> EnvironmentIds(const Inventory& inventory) {
  std::vector<std::string> ids;
  for (const InventoryEnvironment& environment : inventory.environments()) {
    ids.push_back(environment.environment_id());
  }
  return ids;
}

std::vector<UsageRecord> HostRecords(const Inventory& inventory,
                                     const TimeFrame& interval) {
  std::vector<UsageRecord> records;
  if (interval.start >= interval.end) return records;
  for (const InventoryEnvironment& environment : inventory.environments()) {
    for (const InventoryHost& host : environment.hosts()) {
      records.push_back(HostRecord(environment, host, interval));
    }
  }
  return records;
}

TimeFrame MonitoredTime::Tick(absl::Time now) {
  if (now < until_ || now - until_ > longest_pause_) until_ = now;
  return {until_, now};
}

}  // namespace mc::agent

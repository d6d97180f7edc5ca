#include "cluster-agent/domain/config/agent_config.h"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster-agent/collect/time_zone.h"
#include "cluster-agent/domain/config/enrollment_token.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/domain/config/outbox_config.h"
#include "cluster-agent/domain/config/site_config.h"
#include "cluster-agent/domain/inventory/inventory.h"
#include "cluster-agent/domain/mastership/lease_config.h"
#include "cluster-agent/domain/usage/time_frame.h"
#include "common/config/yaml_config.h"
#include "common/crypto/certificate.h"
#include "common/crypto/license_key.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"
#include "common/wire/check.h"
#include "missioncontrol/v1/installation.pb.h"

namespace mc::agent {
namespace {

// The path of a Unix socket has 107 characters at most (unix(7)).
constexpr size_t kMaxSocketPath = 107;
constexpr absl::Duration kShortestInterval = absl::Milliseconds(50);
constexpr absl::Duration kLongestInterval = absl::Hours(24);

using Problems = std::vector<std::string>;

// `field` belongs to a message whose `has` was asked before.
void Default(bool has, google::protobuf::Duration* (config::Schedule::*field)(),
             config::Schedule& schedule, absl::Duration value) {
  if (!has) *(schedule.*field)() = mc::ToProto(value);
}

void ApplyDefaults(const std::string& directory, config::AgentConfig& values) {
  const auto resolve = [&directory](std::string* path) {
    *path = ResolvePath(directory, *path);
  };
  if (values.state_directory().empty()) values.set_state_directory("state");
  if (values.socket_directory().empty()) values.set_socket_directory("run");
  resolve(values.mutable_state_directory());
  resolve(values.mutable_socket_directory());
  resolve(values.mutable_license_key_file());
  resolve(values.mutable_enrollment_token_file());
  resolve(values.mutable_inventory_file());
  if (values.has_service()) {
    resolve(values.mutable_service()->mutable_ca_file());
  }
  if (values.has_proxy()) {
    resolve(values.mutable_proxy()->mutable_password_file());
  }
  if (values.has_node()) {
    resolve(values.mutable_node()->mutable_join_token_file());
    resolve(values.mutable_node()->mutable_machine_id_file());
  }
  if (values.has_site()) ApplySiteDefaults(directory, *values.mutable_site());
  if (values.host_root().empty()) values.set_host_root("/");
  resolve(values.mutable_product()->mutable_version_file());
  resolve(values.mutable_product()->mutable_pid_file());
  if (values.mastership().has_kubernetes_lease()) {
    config::KubernetesLease& lease =
        *values.mutable_mastership()->mutable_kubernetes_lease();
    ApplyLeaseDefaults(lease);
    resolve(lease.mutable_token_file());
    resolve(lease.mutable_ca_file());
  }
  ApplyOutboxDefaults(*values.mutable_outbox());
  config::Schedule& s = *values.mutable_schedule();
  Default(s.has_heartbeat(), &config::Schedule::mutable_heartbeat, s,
          absl::Seconds(60));
  Default(s.has_heartbeat_without_remote_access(),
          &config::Schedule::mutable_heartbeat_without_remote_access, s,
          absl::Seconds(300));
  Default(s.has_license(), &config::Schedule::mutable_license, s,
          absl::Seconds(300));
  Default(s.has_health_check(), &config::Schedule::mutable_health_check, s,
          absl::Seconds(300));
  Default(s.has_updates(), &config::Schedule::mutable_updates, s,
          absl::Seconds(3600));
  Default(s.has_consumption_time_frame(),
          &config::Schedule::mutable_consumption_time_frame, s,
          absl::Seconds(3600));
  Default(s.has_backoff_initial(), &config::Schedule::mutable_backoff_initial,
          s, absl::Seconds(1));
  Default(s.has_backoff_max(), &config::Schedule::mutable_backoff_max, s,
          absl::Seconds(300));
}

}  // namespace

void CheckAddress(std::string_view key, const std::string& address,
                  std::vector<std::string>& problems) {
  const size_t colon = address.rfind(':');
  int port = 0;
  const bool good = colon != std::string::npos && colon > 0 &&
                    absl::SimpleAtoi(address.substr(colon + 1), &port) &&
                    port > 0 && port <= 65535 &&
                    (address.find(':') == colon ||
                     (address.front() == '[' && address[colon - 1] == ']'));
  if (good) return;
  problems.push_back(absl::StrCat(
      absl::string_view(key.data(), key.size()),
      address.empty() ? " is missing"
                      : absl::StrCat(" is \"", address, "\", no address"),
      "; write host:port, for instance missioncontrol.example.com:8443"));
}

namespace {

void CheckSchedule(const config::Schedule& schedule, Problems& problems) {
  const std::initializer_list<
      std::pair<const char*, const google::protobuf::Duration*>>
      intervals = {
          {"heartbeat", &schedule.heartbeat()},
          {"heartbeat_without_remote_access",
           &schedule.heartbeat_without_remote_access()},
          {"license", &schedule.license()},
          {"health_check", &schedule.health_check()},
          {"updates", &schedule.updates()},
          {"backoff_initial", &schedule.backoff_initial()},
          {"backoff_max", &schedule.backoff_max()},
      };
  for (const auto& [name, value] : intervals) {
    const absl::Duration interval = ToAbsl(*value);
    if (interval < kShortestInterval || interval > kLongestInterval) {
      problems.push_back(absl::StrCat("schedule.", name, " is ",
                                      absl::FormatDuration(interval),
                                      "; set it between 50ms and 24h"));
    }
  }
  if (ToAbsl(schedule.backoff_max()) < ToAbsl(schedule.backoff_initial())) {
    problems.push_back(
        "schedule.backoff_max is shorter than backoff_initial; make it at "
        "least as long");
  }
  const absl::Status frame =
      CheckFrameLength(ToAbsl(schedule.consumption_time_frame()));
  if (!frame.ok()) {
    problems.push_back(
        absl::StrCat("schedule.consumption_time_frame: ", frame.message()));
  }
}

void CheckWindow(const missioncontrol::v1::UpdateWindow& window,
                 Problems& problems) {
  if (window.start_minute() < 0 || window.start_minute() > 1439) {
    problems.push_back(
        "update_window.start_minute is no minute of a day; set it between 0 "
        "and 1439");
  }
  if (ToAbsl(window.duration()) > absl::Hours(24)) {
    problems.push_back(
        "update_window.duration is longer than a day; set at most 24h");
  }
}

// For messages of which parts leave the site: their formats must hold.
void CheckFormats(std::string_view key, const google::protobuf::Message& part,
                  Problems& problems) {
  const absl::Status status = CheckMessage(part);
  if (status.ok()) return;
  problems.push_back(absl::StrCat(absl::string_view(key.data(), key.size()),
                                  ": ", status.message()));
}

absl::Status Invalid(const absl::Status& status) {
  return absl::InvalidArgumentError(status.message());
}

absl::StatusOr<std::string> LoadLicenseKey(const config::AgentConfig& values,
                                           const char* environment_key) {
  std::string key;
  std::string source = "MC_LICENSE_KEY";
  if (environment_key != nullptr && *environment_key != '\0') {
    key = environment_key;
  } else {
    source = values.license_key_file();
    if (source.empty()) {
      return absl::InvalidArgumentError(
          "license_key_file is missing; name the file that holds the license "
          "key, or set MC_LICENSE_KEY");
    }
    absl::StatusOr<std::string> text = ReadPrivateFile(source, 1 << 10);
    if (!text.ok()) return text.status();
    key = *std::move(text);
  }
  absl::StripAsciiWhitespace(&key);
  if (!CheckLicenseKey(key).ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source,
        " holds no license key; it looks like MC-XXXX-XXXX-XXXX-XXXX-XXXX-"
        "XXXX-XXXX, copy it from your vendor"));
  }
  return key;
}

// Usage is the master's to record: a node's inventory of hosts would be lost.
absl::StatusOr<config::Inventory> LoadInventoryFor(
    const config::AgentConfig& values) {
  absl::StatusOr<config::Inventory> inventory =
      LoadInventory(values.inventory_file());
  if (inventory.ok() && IsNode(values) && inventory->environments_size() > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        values.inventory_file(),
        " (inventory_file) has environments, which a node does not report; "
        "move them to the master's inventory"));
  }
  return inventory;
}

absl::StatusOr<ProxySettings> LoadProxy(const config::AgentConfig& values) {
  return ProxySettings::Load(values.proxy(), SystemEnvironment());
}

// One that is not there is missed only by a registration.
absl::Status CheckTokenFile(const std::string& file) {
  if (file.empty() || !FileExists(file)) return absl::OkStatus();
  return EnrollmentTokenSource{"", file}.Read().status();
}

}  // namespace

absl::StatusOr<std::string> LoadRoots(const std::string& file) {
  if (file.empty()) return std::string();
  absl::StatusOr<std::string> pem = ReadFile(file);
  if (!pem.ok()) return pem.status();
  const auto chain = CertificateChainPemToDer(*pem);
  if (!chain.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file,
        " (service.ca_file) holds no CA certificates in PEM; get them "
        "from your vendor, or leave the key out for the system's CAs"));
  }
  return pem;
}

std::string Configuration::AgentSocket() const {
  return absl::StrCat(values.socket_directory(), "/agent.sock");
}
std::string Configuration::AdminSocket() const {
  return absl::StrCat(values.socket_directory(), "/admin.sock");
}
std::string Configuration::OutboxFile() const {
  return absl::StrCat(values.state_directory(), "/usage.db");
}

absl::Duration ToAbsl(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::StatusOr<Configuration> LoadConfiguration(const std::string& file) {
  Configuration result;
  result.file = file;
  const absl::Status status = LoadYaml(file, &result.values);
  if (!status.ok()) return status;
  ApplyDefaults(DirectoryOf(file), result.values);
  return result;
}

std::vector<std::string> CheckConfiguration(
    const Configuration& configuration) {
  const config::AgentConfig& values = configuration.values;
  Problems problems;
  if (IsNode(values)) {
    CheckNode(values, problems);
  } else {
    CheckAddress("service.enrollment", values.service().enrollment(), problems);
    CheckAddress("service.cluster", values.service().cluster(), problems);
  }
  if (values.host_root().front() != '/') {
    problems.push_back(absl::StrCat("host_root is ", values.host_root(),
                                    "; write an absolute path"));
  }
  CheckSchedule(values.schedule(), problems);
  CheckOutbox(values.outbox(), problems);
  CheckWindow(values.update_window(), problems);
  if (values.has_site()) CheckSite(values.site(), problems);
  if (values.mastership().has_kubernetes_lease()) {
    CheckLease(values.mastership().kubernetes_lease(), problems);
  }
  CheckFormats("product", values.product(), problems);
  missioncontrol::v1::InstallRequest version;
  version.set_product_version(values.product().version());
  CheckFormats("product.version", version, problems);
  if (configuration.AgentSocket().size() > kMaxSocketPath) {
    problems.push_back(
        absl::StrCat("socket_directory is too long for a Unix socket: ",
                     configuration.AgentSocket(), " has more than ",
                     kMaxSocketPath, " characters; choose a shorter path"));
  }
  const absl::Status partitions = CheckPartitions(PartitionsOf(values));
  if (!partitions.ok()) {
    problems.push_back(absl::StrCat("data_partitions: ", partitions.message()));
  }
  const auto zone = ReadTimeZone({values.host_root()}, values.time_zone());
  if (!zone.ok()) {
    problems.push_back(absl::StrCat("time_zone: ", zone.status().message()));
  }
  for (std::string& problem : problems) {
    problem = absl::StrCat(configuration.file, ": ", problem);
  }
  return problems;
}

absl::StatusOr<AgentFiles> LoadFiles(const Configuration& configuration,
                                     const char* environment_key) {
  const config::AgentConfig& values = configuration.values;
  AgentFiles files;
  if (!IsNode(values)) {
    absl::StatusOr<std::string> key = LoadLicenseKey(values, environment_key);
    if (!key.ok()) return key.status();
    files.license_key = *std::move(key);
    absl::StatusOr<std::string> roots = LoadRoots(values.service().ca_file());
    if (!roots.ok()) return roots.status();
    files.root_pem = *std::move(roots);
    const absl::Status token = CheckTokenFile(values.enrollment_token_file());
    if (!token.ok()) return token;
    absl::StatusOr<ProxySettings> proxy = LoadProxy(values);
    if (!proxy.ok()) return proxy.status();
    files.proxy = *std::move(proxy);
  }
  if (values.has_site()) {
    const absl::Status site = CheckSiteFiles(values.site());
    if (!site.ok()) return site;
  }
  if (!values.inventory_file().empty()) {
    absl::StatusOr<config::Inventory> inventory = LoadInventoryFor(values);
    if (!inventory.ok()) return inventory.status();
    files.inventory = *std::move(inventory);
  }
  return files;
}

std::vector<std::string> FindProblems(const Configuration& configuration,
                                      const char* environment_key) {
  const config::AgentConfig& values = configuration.values;
  Problems problems = CheckConfiguration(configuration);
  const auto note = [&problems](const absl::Status& status) {
    if (!status.ok()) problems.emplace_back(status.message());
  };
  if (!IsNode(values)) {
    note(LoadLicenseKey(values, environment_key).status());
    note(LoadRoots(values.service().ca_file()).status());
    note(CheckTokenFile(values.enrollment_token_file()));
    note(LoadProxy(values).status());
  } else if (!values.node().machine_id_file().empty()) {
    note(ReadMachineNodeId(values.node().machine_id_file()).status());
  }
  if (!values.inventory_file().empty()) {
    note(LoadInventoryFor(values).status());
  }
  if (values.has_site()) note(CheckSiteFiles(values.site()));
  if (FileExists(values.state_directory())) {
    note(CheckPrivateDirectory(values.state_directory()));
  }
  return problems;
}

absl::StatusOr<CheckedConfiguration> LoadChecked(const std::string& file,
                                                 const char* environment_key) {
  absl::StatusOr<Configuration> configuration = LoadConfiguration(file);
  if (!configuration.ok()) return configuration.status();
  const Problems problems = CheckConfiguration(*configuration);
  if (!problems.empty()) {
    return absl::InvalidArgumentError(
        problems.size() == 1
            ? problems.front()
            : absl::StrCat(problems.front(), " (and ", problems.size() - 1,
                           " more: cluster-agent validate lists them)"));
  }
  absl::StatusOr<AgentFiles> files = LoadFiles(*configuration, environment_key);
  // Whatever is wrong with a file that is configured, it is the configuration
  // that has to change.
  if (!files.ok()) return Invalid(files.status());
  return CheckedConfiguration{*std::move(configuration), *std::move(files)};
}

std::vector<PartitionConfig> PartitionsOf(const config::AgentConfig& values) {
  std::vector<PartitionConfig> partitions;
  for (const config::DataPartition& partition : values.data_partitions()) {
    partitions.push_back({partition.path(), partition.label()});
  }
  return partitions;
}

}  // namespace mc::agent

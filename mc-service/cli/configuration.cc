#include "mc-service/cli/configuration.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/yaml_config.h"
#include "common/files/files.h"
#include "google/protobuf/util/time_util.h"

namespace mc::service {
namespace {

using google::protobuf::util::TimeUtil;

void Default(std::string_view value, std::string* field) {
  if (field->empty()) *field = std::string(value);
}

void DefaultListener(std::string_view directory, std::string_view address,
                     const CertificateFiles& files, bool reflection,
                     config::Listener* listener) {
  Default(address, listener->mutable_address());
  if (!listener->has_reflection()) listener->set_reflection(reflection);
  // One without the other is for the checks to report.
  if (listener->certificate_file().empty() && listener->key_file().empty()) {
    listener->set_certificate_file(files.certificate);
    listener->set_key_file(files.key);
    return;
  }
  for (std::string* file :
       {listener->mutable_certificate_file(), listener->mutable_key_file()}) {
    if (!file->empty()) *file = ResolvePath(directory, *file);
  }
}

// Of who may connect, and what connections may do.
void DefaultEdgeLimits(config::Limits* limits) {
  if (limits->max_connections() == 0) limits->set_max_connections(20'000);
  if (limits->max_connections_per_address() == 0) {
    limits->set_max_connections_per_address(2'000);
  }
  if (limits->handshakes_per_second() == 0) {
    limits->set_handshakes_per_second(1'000);
  }
  if (limits->max_handshakes() == 0) limits->set_max_handshakes(64);
  if (!limits->has_handshake_timeout()) {
    *limits->mutable_handshake_timeout() = TimeUtil::SecondsToDuration(10);
  }
  if (limits->memory_quota_bytes() == 0) {
    limits->set_memory_quota_bytes(int64_t{2} << 30);
  }
  if (!limits->has_slow_reader_timeout()) {
    *limits->mutable_slow_reader_timeout() = TimeUtil::SecondsToDuration(60);
  }
  if (limits->max_bytes_per_second_per_connection() == 0) {
    limits->set_max_bytes_per_second_per_connection(32 << 20);
  }
}

}  // namespace

void ApplyDefaults(std::string_view directory, config::ServiceConfig& values) {
  values.set_state_directory(
      values.state_directory().empty()
          ? std::string(directory)
          : ResolvePath(directory, values.state_directory()));
  const StateLayout state(values.state_directory());
  const CertificateFiles files = state.ServerCertificate();
  config::Listeners* listeners = values.mutable_listeners();
  DefaultListener(directory, "0.0.0.0:8442", files, false,
                  listeners->mutable_enrollment());
  DefaultListener(directory, "0.0.0.0:8443", files, false,
                  listeners->mutable_cluster());
  DefaultListener(directory, "127.0.0.1:8444", files, true,
                  listeners->mutable_operator_());
  Default("127.0.0.1:9464", listeners->mutable_metrics()->mutable_address());
  if (!values.certificates().has_cluster_lifetime()) {
    *values.mutable_certificates()->mutable_cluster_lifetime() =
        TimeUtil::HoursToDuration(30 * 24);
  }
  if (!values.certificates().has_operator_lifetime()) {
    *values.mutable_certificates()->mutable_operator_lifetime() =
        TimeUtil::HoursToDuration(90 * 24);
  }
  config::Limits* limits = values.mutable_limits();
  if (limits->max_message_bytes() == 0) limits->set_max_message_bytes(4 << 20);
  if (limits->max_queued_calls() == 0) limits->set_max_queued_calls(10000);
  if (limits->worker_threads() == 0) limits->set_worker_threads(8);
  if (limits->max_reports_per_cluster() == 0) {
    limits->set_max_reports_per_cluster(32);
  }
  if (limits->backlog_reports_per_second() == 0) {
    limits->set_backlog_reports_per_second(2000);
  }
  DefaultEdgeLimits(limits);
  if (limits->recoveries_per_hour() == 0) limits->set_recoveries_per_hour(10);
  if (limits->enrollments_per_minute_per_address() == 0) {
    limits->set_enrollments_per_minute_per_address(60);
  }
  if (limits->enrollments_per_minute_per_license() == 0) {
    limits->set_enrollments_per_minute_per_license(120);
  }
  if (limits->calls_per_second_per_cluster() == 0) {
    limits->set_calls_per_second_per_cluster(20);
  }
  if (values.has_enrollment_front()) {
    std::string* socket = values.mutable_enrollment_front()->mutable_socket();
    *socket = ResolvePath(directory, *socket);
  }
  if (!values.has_write_behind_interval()) {
    *values.mutable_write_behind_interval() = TimeUtil::SecondsToDuration(5);
  }
  config::Retention* retention = values.mutable_retention();
  for (google::protobuf::Duration* kept :
       {retention->has_events() ? nullptr : retention->mutable_events(),
        retention->has_closed_findings()
            ? nullptr
            : retention->mutable_closed_findings()}) {
    if (kept != nullptr) *kept = TimeUtil::HoursToDuration(90 * 24);
  }
  if (!values.has_drain_timeout()) {
    *values.mutable_drain_timeout() = TimeUtil::SecondsToDuration(10);
  }
}

absl::StatusOr<Configuration> LoadConfiguration(const std::string& file) {
  Configuration result{file, {}};
  if (absl::Status status = LoadYaml(file, &result.values); !status.ok()) {
    return status;
  }
  ApplyDefaults(DirectoryOf(file), result.values);
  return result;
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view address) {
  const size_t colon = address.rfind(':');
  const auto bad = [&address] {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", absl::string_view(address.data(), address.size()),
        "\" is not of the form host:port, for instance 127.0.0.1:8443"));
  };
  if (colon == std::string_view::npos) return bad();
  std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  HostPort result{std::string(host), 0};
  if (host.empty() ||
      !absl::SimpleAtoi({port.data(), port.size()}, &result.port) ||
      result.port < 0 || result.port > 65535) {
    return bad();
  }
  return result;
}

}  // namespace mc::service

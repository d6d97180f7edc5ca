#include "mc-service/cli/checks.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/time/proto_time.h"
#include "mc-service/cli/file_checks.h"
#include "mc-service/cli/weak_settings.h"
#include "mc-service/edge/address.h"

namespace mc::service {
namespace {

using Severity = Problem::Severity;

class ValueChecks {
 public:
  ValueChecks(const Configuration& configuration,
              std::vector<Problem>& problems)
      : file_(configuration.file),
        values_(configuration.values),
        problems_(problems) {}

  void Run() {
    TrustDomain();
    Listeners();
    Durations();
    Limits();
    Front();
  }

 private:
  void Add(Severity severity, std::string_view key, std::string message) {
    problems_.push_back(
        {severity,
         absl::StrCat(file_, ": ", absl::string_view(key.data(), key.size())),
         std::move(message)});
  }
  void Error(std::string_view key, std::string message) {
    Add(Severity::kError, key, std::move(message));
  }
  void Warn(std::string_view key, std::string message) {
    Add(Severity::kWarning, key, std::move(message));
  }

  void TrustDomain() {
    const std::string& name = values_.trust_domain();
    // The SPIFFE ID standard, section 2.1.
    if (name.empty() || name.size() > 255 ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") !=
            std::string::npos) {
      Error("trust_domain",
            "set the name that `mc-service init` wrote: lower-case letters, "
            "digits, '.', '-' and '_'");
    }
  }

  void Listeners() {
    const config::Listeners& listeners = values_.listeners();
    Address("enrollment", listeners.enrollment());
    Address("cluster", listeners.cluster());
    Address("operator", listeners.operator_());
    Address("metrics", listeners.metrics());
    for (const auto& [name, listener] :
         {std::pair("enrollment", &listeners.enrollment()),
          std::pair("cluster", &listeners.cluster())}) {
      if (listener->reflection()) {
        Warn(absl::StrCat("listeners.", name, ".reflection"),
             "whoever reaches this listener can list its methods; remove it "
             "unless this is a demonstration");
      }
    }
    for (const auto& [name, listener] :
         {std::pair("enrollment", &listeners.enrollment()),
          std::pair("cluster", &listeners.cluster()),
          std::pair("operator", &listeners.operator_())}) {
      Proxies(absl::StrCat("listeners.", name, ".proxy_protocol_from"),
              *listener);
    }
    if (listeners.metrics().proxy_protocol_from_size() > 0) {
      Error("listeners.metrics.proxy_protocol_from",
            "this listener takes no PROXY header; remove it");
    }
    const absl::StatusOr<HostPort> metrics =
        ParseHostPort(listeners.metrics().address());
    if (metrics.ok() && !IsLoopback(metrics->host)) {
      Warn("listeners.metrics.address",
           "metrics are plain HTTP without a password; listen on 127.0.0.1 or "
           "keep strangers out by a firewall");
    }
  }

  static bool IsLoopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
  }

  void Address(const std::string& name, const config::Listener& listener) {
    const std::string where = absl::StrCat("listeners.", name, ".address");
    const absl::StatusOr<HostPort> parsed = ParseHostPort(listener.address());
    if (!parsed.ok()) {
      Error(where, std::string(parsed.status().message()));
      return;
    }
    if (parsed->port == 0) return;
    const auto [it, fresh] = ports_.try_emplace(parsed->port, name);
    if (!fresh) {
      Error(where, absl::StrCat("port ", parsed->port, " is also that of the ",
                                it->second, " listener; choose another"));
    }
  }

  void Proxies(const std::string& where, const config::Listener& listener) {
    for (const std::string& text : listener.proxy_protocol_from()) {
      const absl::StatusOr<Network> network = Network::Parse(text);
      if (!network.ok()) {
        Error(where, std::string(network.status().message()));
      }
    }
  }

  void Duration(std::string_view where, const google::protobuf::Duration& value,
                absl::Duration min, absl::Duration max) {
    const absl::StatusOr<absl::Duration> duration = FromProto(value);
    if (!duration.ok() || *duration < min || *duration > max) {
      Error(where, absl::StrCat("must be from ", absl::FormatDuration(min),
                                " to ", absl::FormatDuration(max)));
    }
  }

  void Durations() {
    const auto& lifetime = values_.certificates().cluster_lifetime();
    Duration("certificates.cluster_lifetime", lifetime, absl::Minutes(1),
             absl::Hours(24 * 3650));
    if (lifetime.seconds() > 398 * 24 * 3600) {
      Warn("certificates.cluster_lifetime",
           "over 398 days a stolen key stays useful for long; 30 days are the "
           "default");
    }
    const auto& of_operators = values_.certificates().operator_lifetime();
    Duration("certificates.operator_lifetime", of_operators, absl::Minutes(1),
             absl::Hours(24 * 3650));
    Duration("write_behind_interval", values_.write_behind_interval(),
             absl::Milliseconds(100), absl::Minutes(5));
    Duration("drain_timeout", values_.drain_timeout(), absl::ZeroDuration(),
             absl::Minutes(10));
    const config::Retention& retention = values_.retention();
    if (retention.has_consumption_reports()) {
      // Agents know their usage for 40 days, and an invoice wants to be
      // checked.
      Duration("retention.consumption_reports", retention.consumption_reports(),
               absl::Hours(40 * 24), absl::Hours(24 * 36500));
    }
    Duration("retention.events", retention.events(), absl::Hours(24),
             absl::Hours(24 * 36500));
    Duration("retention.closed_findings", retention.closed_findings(),
             absl::Hours(24), absl::Hours(24 * 36500));
    const config::Pacing& pacing = values_.pacing();
    for (const auto& [name, present, value] :
         {std::tuple("heartbeat_interval", pacing.has_heartbeat_interval(),
                     &pacing.heartbeat_interval()),
          std::tuple("license_interval", pacing.has_license_interval(),
                     &pacing.license_interval()),
          std::tuple("updates_interval", pacing.has_updates_interval(),
                     &pacing.updates_interval())}) {
      if (present) {
        Duration(absl::StrCat("pacing.", name), *value, absl::Seconds(1),
                 absl::Hours(24));
      }
    }
  }

  void Range(std::string_view where, int64_t value, int64_t min, int64_t max) {
    if (value < min || value > max) {
      Error(where,
            absl::StrCat("must be from ", min, " to ", max, ", it is ", value));
    }
  }

  void Front() {
    if (!values_.has_enrollment_front()) return;
    const std::string& socket = values_.enrollment_front().socket();
    // What sockaddr_un holds, with the zero at its end.
    if (socket.empty() || socket.size() > 107) {
      Error("enrollment_front.socket",
            "name a path of 1 to 107 characters, where the service and its "
            "enrollment front meet");
    }
  }

  void Limits() {
    const config::Limits& limits = values_.limits();
    Range("limits.max_message_bytes", limits.max_message_bytes(), 64 << 10,
          64 << 20);
    Range("limits.max_queued_calls", limits.max_queued_calls(), 1, 1'000'000);
    Range("limits.worker_threads", limits.worker_threads(), 1, 1024);
    Range("limits.max_reports_per_cluster", limits.max_reports_per_cluster(), 1,
          4096);
    Range("limits.backlog_reports_per_second",
          limits.backlog_reports_per_second(), 1, 1'000'000);
    Range("limits.recoveries_per_hour", limits.recoveries_per_hour(), 1,
          1'000'000);
    Range("limits.enrollments_per_minute_per_address",
          limits.enrollments_per_minute_per_address(), 1, 1'000'000);
    Range("limits.enrollments_per_minute_per_license",
          limits.enrollments_per_minute_per_license(), 1, 1'000'000);
    Range("limits.calls_per_second_per_cluster",
          limits.calls_per_second_per_cluster(), 1, 1'000'000);
    Range("limits.max_connections", limits.max_connections(), 1, 1'000'000);
    Range("limits.max_connections_per_address",
          limits.max_connections_per_address(), 1, 1'000'000);
    Range("limits.handshakes_per_second", limits.handshakes_per_second(), 1,
          1'000'000);
    Range("limits.max_handshakes", limits.max_handshakes(), 1, 100'000);
    Duration("limits.handshake_timeout", limits.handshake_timeout(),
             absl::Seconds(1), absl::Minutes(2));
    Range("limits.memory_quota_bytes", limits.memory_quota_bytes(), 64 << 20,
          int64_t{1} << 40);
    Duration("limits.slow_reader_timeout", limits.slow_reader_timeout(),
             absl::Seconds(1), absl::Hours(1));
    Range("limits.max_bytes_per_second_per_connection",
          limits.max_bytes_per_second_per_connection(), 64 << 10,
          int64_t{1} << 40);
  }

  const std::string& file_;
  const config::ServiceConfig& values_;
  std::vector<Problem>& problems_;
  std::map<int, std::string> ports_;
};

const char* SeverityName(const Problem& problem) {
  return problem.severity == Severity::kError ? "error" : "warning";
}

}  // namespace

std::vector<Problem> CheckConfiguration(const Configuration& configuration,
                                        absl::Time now) {
  std::vector<Problem> problems;
  ValueChecks(configuration, problems).Run();
  CheckWeakSettings(configuration, problems);
  CheckFiles(configuration, now, problems);
  return problems;
}

std::vector<Problem> CheckFront(const Configuration& configuration,
                                absl::Time now) {
  std::vector<Problem> problems;
  if (!configuration.values.has_enrollment_front()) {
    problems.push_back(
        {Problem::Severity::kError,
         absl::StrCat(configuration.file, ": enrollment_front"),
         "set enrollment_front.socket, where the service listens for its "
         "front"});
  }
  ValueChecks(configuration, problems).Run();
  CheckFrontFiles(configuration, now, problems);
  return problems;
}

std::string Describe(const Problem& problem) {
  if (problem.message.find(problem.where) != std::string::npos) {
    return problem.message;
  }
  return absl::StrCat(problem.where, ": ", problem.message);
}

std::string ProblemsAsText(const std::vector<Problem>& problems) {
  if (problems.empty()) return "No problems.\n";
  std::string text;
  for (const Problem& problem : problems) {
    absl::StrAppend(&text, SeverityName(problem), ": ", Describe(problem),
                    "\n");
  }
  return text;
}

std::string ProblemsAsJson(const std::vector<Problem>& problems) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Problem& problem : problems) {
    list.push_back({{"severity", SeverityName(problem)},
                    {"where", problem.where},
                    {"message", problem.message}});
  }
  const nlohmann::ordered_json json = {{"problems", std::move(list)}};
  // File names are bytes: what is no UTF-8 is replaced.
  return json.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

absl::Status FirstError(const std::vector<Problem>& problems) {
  const auto is_error = [](const Problem& problem) {
    return problem.severity == Severity::kError;
  };
  const auto first = std::find_if(problems.begin(), problems.end(), is_error);
  if (first == problems.end()) return absl::OkStatus();
  const auto errors = std::count_if(first, problems.end(), is_error);
  std::string text = Describe(*first);
  if (errors > 1) {
    absl::StrAppend(&text, " (", errors - 1,
                    " more; `mc-service validate` lists them)");
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace mc::service

#include "cluster-agent/domain/mastership/lease_config.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;

constexpr absl::string_view kKey = "mastership.kubernetes_lease.";
constexpr absl::Duration kShortestRetry = absl::Milliseconds(100);
constexpr absl::Duration kLongestLease = absl::Hours(1);
// As client-go: at least one retry fits between renewal and deadline.
constexpr double kRetries = 1.2;

// A label of DNS as Kubernetes names objects (RFC 1123).
bool IsLabel(absl::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' &&
         label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

bool IsSubdomain(absl::string_view name) {
  if (name.size() > 253) return false;
  for (const absl::string_view label : absl::StrSplit(name, '.')) {
    if (!IsLabel(label)) return false;
  }
  return true;
}

absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

void CheckDurations(const config::KubernetesLease& lease,
                    std::vector<std::string>& problems) {
  const absl::Duration duration = DurationOf(lease.lease_duration());
  const absl::Duration deadline = DurationOf(lease.renew_deadline());
  const absl::Duration retry = DurationOf(lease.retry_period());
  if (duration < absl::Seconds(1) || duration > kLongestLease ||
      lease.lease_duration().nanos() != 0) {
    problems.push_back(absl::StrCat(kKey, "lease_duration is ",
                                    absl::FormatDuration(duration),
                                    "; set whole seconds, from 1s to 1h"));
  }
  if (deadline >= duration) {
    problems.push_back(absl::StrCat(
        kKey,
        "renew_deadline is not shorter than lease_duration: this agent could "
        "still run when another one holds the Lease; set, for instance, two "
        "thirds of it"));
  }
  if (retry < kShortestRetry) {
    problems.push_back(absl::StrCat(
        kKey, "retry_period is shorter than 100ms; set it longer"));
  }
  if (retry * kRetries >= deadline) {
    problems.push_back(absl::StrCat(
        kKey,
        "retry_period leaves no time for a second try before renew_deadline; "
        "set, for instance, a fifth of it"));
  }
}

}  // namespace

void ApplyLeaseDefaults(config::KubernetesLease& lease) {
  // Those of Kubernetes' own components.
  if (!lease.has_lease_duration()) {
    *lease.mutable_lease_duration() = mc::ToProto(absl::Seconds(15));
  }
  if (!lease.has_renew_deadline()) {
    *lease.mutable_renew_deadline() = mc::ToProto(absl::Seconds(10));
  }
  if (!lease.has_retry_period()) {
    *lease.mutable_retry_period() = mc::ToProto(absl::Seconds(2));
  }
}

void CheckLease(const config::KubernetesLease& lease,
                std::vector<std::string>& problems) {
  if (!IsSubdomain(lease.name())) {
    problems.push_back(absl::StrCat(
        kKey, "name is ",
        lease.name().empty() ? "missing"
                             : absl::StrCat("\"", lease.name(), "\""),
        "; write lower-case letters, digits and dashes, for instance "
        "cluster-agent"));
  }
  if (!lease.namespace_().empty() && !IsLabel(lease.namespace_())) {
    problems.push_back(absl::StrCat(kKey, "namespace is \"", lease.namespace_(),
                                    "\", no name of a namespace"));
  }
  if (!lease.api_server().empty()) {
    const absl::Status status = ParseApiServer(lease.api_server()).status();
    if (!status.ok()) {
      problems.push_back(absl::StrCat(kKey, "api_server: ", status.message()));
    }
  }
  CheckDurations(lease, problems);
}

absl::StatusOr<ApiServer> ParseApiServer(std::string_view url) {
  const absl::string_view text(url.data(), url.size());
  const absl::Status invalid = absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no address; write https://host:port"));
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "https://")) return invalid;
  absl::ConsumeSuffix(&rest, "/");
  ApiServer server;
  const size_t close = rest.find(']');
  if (absl::StartsWith(rest, "[") && close != absl::string_view::npos) {
    server.host = std::string(rest.substr(1, close - 1));
    rest.remove_prefix(close + 1);
  } else {
    const size_t colon = std::min(rest.find(':'), rest.size());
    server.host = std::string(rest.substr(0, colon));
    rest.remove_prefix(colon);
  }
  if (server.host.empty() ||
      server.host.find_first_of("/@?# []") != std::string::npos) {
    return invalid;
  }
  if (rest.empty()) return server;
  if (!absl::ConsumePrefix(&rest, ":") ||
      !absl::SimpleAtoi(rest, &server.port) || server.port <= 0 ||
      server.port > 65535) {
    return invalid;
  }
  return server;
}

}  // namespace mc::agent

#include "cluster-agent/domain/config/site_config.h"

#include <cstddef>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster-agent/domain/config/agent_config.h"
#include "cluster-agent/domain/config/node_config.h"
#include "cluster-agent/domain/site/join_token.h"
#include "cluster-agent/domain/site/site_authority.h"
#include "common/files/files.h"
#include "common/time/proto_time.h"

namespace mc::agent {
namespace {

constexpr absl::Duration kReportInterval = absl::Seconds(30);
constexpr int kSilentIntervals = 3;
constexpr absl::Duration kLifetime = absl::Hours(168);

void CheckBetween(std::string_view key, const google::protobuf::Duration& value,
                  absl::Duration least, absl::Duration most,
                  std::vector<std::string>& problems) {
  const absl::Duration given = ToAbsl(value);
  if (given >= least && given <= most) return;
  problems.push_back(absl::StrCat(
      "site.", absl::string_view(key.data(), key.size()), " is ",
      absl::FormatDuration(given), "; set it between ",
      absl::FormatDuration(least), " and ", absl::FormatDuration(most)));
}

// As CheckAddress, and port 0 takes a free one.
void CheckListen(std::string_view key, const std::string& address,
                 std::vector<std::string>& problems) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon != std::string::npos && colon > 0 &&
      absl::SimpleAtoi(address.substr(colon + 1), &port) && port == 0) {
    return;
  }
  CheckAddress(key, address, problems);
}

}  // namespace

void ApplySiteDefaults(const std::string& directory, config::Site& site) {
  if (!site.has_report_interval()) {
    *site.mutable_report_interval() = mc::ToProto(kReportInterval);
  }
  if (!site.has_silent_after()) {
    *site.mutable_silent_after() =
        mc::ToProto(kSilentIntervals * ToAbsl(site.report_interval()));
  }
  if (!site.has_node_certificate_lifetime()) {
    *site.mutable_node_certificate_lifetime() = mc::ToProto(kLifetime);
  }
  for (std::string* path :
       {site.mutable_ca_certificate_file(), site.mutable_ca_key_file(),
        site.mutable_join_token_file()}) {
    *path = ResolvePath(directory, *path);
  }
}

void CheckSite(const config::Site& site, std::vector<std::string>& problems) {
  if (!site.has_listen()) {
    problems.emplace_back(
        "site has no listen, so that no node can join; name listen.join and "
        "listen.nodes, or leave site out");
    return;
  }
  CheckListen("site.listen.join", site.listen().join(), problems);
  CheckListen("site.listen.nodes", site.listen().nodes(), problems);
  if (!site.node_address().empty()) {
    CheckAddress("site.node_address", site.node_address(), problems);
  }
  CheckBetween("report_interval", site.report_interval(),
               absl::Milliseconds(50), absl::Hours(1), problems);
  CheckBetween("silent_after", site.silent_after(), absl::Milliseconds(100),
               absl::Hours(24), problems);
  if (ToAbsl(site.silent_after()) <= ToAbsl(site.report_interval())) {
    problems.emplace_back(
        "site.silent_after is not longer than report_interval, so that every "
        "node would be silent; make it two intervals or more");
  }
  CheckBetween("node_certificate_lifetime", site.node_certificate_lifetime(),
               absl::Seconds(5), absl::Hours(24 * 365), problems);
  if (site.ca_certificate_file().empty() != site.ca_key_file().empty()) {
    problems.emplace_back(
        "site names one of ca_certificate_file and ca_key_file; name both, or "
        "neither for a CA that is made at the first start");
  }
}

absl::Status CheckSiteFiles(const config::Site& site) {
  const std::string& token_file = site.join_token_file();
  const bool has_token = !token_file.empty() && FileExists(token_file);
  const absl::StatusOr<std::string> text =
      has_token ? JoinTokenSource{"", token_file}.Read() : std::string();
  if (!text.ok()) return text.status();
  if (site.ca_certificate_file().empty()) return absl::OkStatus();
  const auto ca = LoadSiteCa(site.ca_certificate_file(), site.ca_key_file());
  if (!ca.ok()) return ca.status();
  if (!has_token) return absl::OkStatus();
  const absl::StatusOr<JoinToken> token = ParseJoinToken(*text);
  if (!token.ok()) return token.status();
  if (!IsTokenOf(*token, ca->cert_der())) {
    return absl::InvalidArgumentError(absl::StrCat(
        token_file, " (site.join_token_file) names another CA than ",
        site.ca_certificate_file(),
        ", and no node would believe this master; end the token with the "
        "SHA-256 of that certificate in DER"));
  }
  return absl::OkStatus();
}

}  // namespace mc::agent

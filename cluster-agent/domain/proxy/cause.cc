#include "cluster-agent/domain/proxy/cause.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/crypto/certificate.h"

namespace mc::agent {
namespace {

constexpr int kForbidden = 403;
constexpr int kNotAllowed = 405;
constexpr int kAuthenticate = 407;
constexpr int kServerError = 500;

bool OffersBasic(const ProxyAnswer& answer) {
  return std::any_of(answer.schemes.begin(), answer.schemes.end(),
                     [](const std::string& scheme) {
                       return absl::EqualsIgnoreCase(scheme, "basic");
                     });
}

}  // namespace

std::string ProxyAdvice(const ProxyAnswer& answer, bool has_user) {
  if (answer.error != 0 || answer.status == 0) {
    return "check that proxy.url names an HTTP proxy and its port";
  }
  if (answer.status == kAuthenticate) {
    if (!answer.schemes.empty() && !OffersBasic(answer)) {
      return absl::StrCat("it demands ", absl::StrJoin(answer.schemes, " or "),
                          ", but the agent has Basic authentication alone; "
                          "have the proxy allow "
                          "Basic, or this machine without authentication");
    }
    return has_user ? "check proxy.user_name and the password in "
                      "proxy.password_file"
                    : "set proxy.user_name and proxy.password_file";
  }
  if (answer.status == kForbidden || answer.status == kNotAllowed) {
    return "have the proxy allow CONNECT to this host and port";
  }
  if (answer.status >= kServerError) {
    return "the proxy cannot reach the service itself: check the address, and "
           "the proxy's name resolution and network";
  }
  return "ask whoever runs the proxy";
}

std::string CauseOf(const ProbeResult& result, const ProbeOptions& options) {
  switch (result.step) {
    case ProbeStep::kResolve:
    case ProbeStep::kConnect:
      if (result.status.ok()) return "";
      return absl::StrCat(
          "the proxy does not answer: ", result.status.message(),
          "; check proxy.url and that the proxy runs");
    case ProbeStep::kProxy:
      if (result.status.ok()) return "";
      return absl::StrCat(
          result.status.message(), "; ",
          ProxyAdvice(*result.proxy, !options.proxy->user_name.empty()));
    case ProbeStep::kHandshake:
      return std::string(result.status.message());
    case ProbeStep::kGreeting:
      break;
  }
  if (!result.trusted && !result.chain_der.empty()) {
    const auto own = ParseCertificateDer(result.chain_der.front());
    return absl::StrCat(
        "the certificate that is shown for ",
        HostPort(options.host, options.port), " was issued by \"",
        own.ok() ? own->issuer_name : "an unreadable name",
        "\", which is not trusted: the proxy may inspect TLS; run "
        "cluster-agent doctor");
  }
  return "";
}

}  // namespace mc::agent

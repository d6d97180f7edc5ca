#include "cluster-agent/domain/proxy/proxy.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"

namespace mc::agent {
namespace {

namespace config = missioncontrol::config::v1;

constexpr int kHttpPort = 80;
constexpr size_t kMaxPasswordBytes = 1 << 10;
constexpr char kPasswordVariable[] = "MC_PROXY_PASSWORD";

absl::Status Invalid(const std::string& source, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(source, " ", problem));
}

// Percent-encoded bytes (RFC 3986, 2.1).
std::string Decoded(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      result +=
          absl::HexStringToBytes(absl::string_view(text.data() + i + 1, 2));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

// RFC 7617, 2: no control characters, and no colon in the user's name.
bool HasControls(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

absl::Status CheckCredentials(const std::string& source,
                              const HttpProxy& proxy) {
  if (HasControls(proxy.user_name) || HasControls(proxy.password)) {
    return Invalid(source,
                   "has a user name or a password with control characters; "
                   "Basic authentication allows none");
  }
  if (proxy.user_name.find(':') != std::string::npos) {
    return Invalid(source,
                   "has a user name with a colon; Basic authentication "
                   "allows none");
  }
  return absl::OkStatus();
}

// The value is not shown: it may hold a password.
absl::StatusOr<HttpProxy> ParseUrl(const std::string& source,
                                   std::string_view url) {
  constexpr std::string_view kExpected =
      "is no proxy's URL; write http://host:port";
  const size_t scheme_end = url.find("://");
  if (scheme_end != std::string_view::npos) {
    const std::string scheme =
        absl::AsciiStrToLower(absl::string_view(url.data(), scheme_end));
    if (scheme != "http") {
      return Invalid(source,
                     "names a proxy that is not spoken to in plain HTTP; write "
                     "http://host:port of one that allows CONNECT");
    }
    url.remove_prefix(scheme_end + 3);
  }
  std::string_view authority = url.substr(0, url.find('/'));
  const std::string_view path = url.substr(authority.size());
  if (!path.empty() && path != "/") {
    return Invalid(source, "has a path; write http://host:port");
  }
  HttpProxy proxy;
  const size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    const size_t colon = std::min(user.find(':'), user.size());
    proxy.user_name = Decoded(user.substr(0, colon));
    proxy.password = Decoded(user.substr(std::min(colon + 1, user.size())));
    authority.remove_prefix(at + 1);
  }
  const bool has_port =
      authority.find(':', authority.rfind(']') + 1) != std::string_view::npos;
  const auto parts = SplitHostPort(
      has_port ? std::string(authority)
               : absl::StrCat(std::string(authority), ":", kHttpPort));
  const auto in_host = [](unsigned char c) {
    return absl::ascii_isgraph(c) && c != '@' && c != '?' && c != '#';
  };
  if (!parts.ok() ||
      !std::all_of(parts->first.begin(), parts->first.end(), in_host)) {
    return Invalid(source,
                   absl::string_view(kExpected.data(), kExpected.size()));
  }
  proxy.host = parts->first;
  proxy.port = parts->second;
  const absl::Status checked = CheckCredentials(source, proxy);
  if (!checked.ok()) return checked;
  return proxy;
}

// The first of the names that is set and not empty.
const char* FindVariable(const Environment& environment,
                         std::initializer_list<const char*> names,
                         std::string* found = nullptr) {
  for (const char* name : names) {
    const char* value = environment(name);
    if (value == nullptr || *value == '\0') continue;
    if (found != nullptr) *found = name;
    return value;
  }
  return nullptr;
}

absl::Status AddCredentials(const config::Proxy& proxy,
                            const Environment& environment, HttpProxy& out) {
  if (!out.user_name.empty()) {
    return Invalid("proxy.url",
                   "has a user; write it into proxy.user_name, and the "
                   "password into the file of proxy.password_file");
  }
  out.user_name = proxy.user_name();
  if (const char* password = FindVariable(environment, {kPasswordVariable})) {
    if (!out.user_name.empty()) out.password = password;
  } else if (!proxy.password_file().empty()) {
    absl::StatusOr<std::string> text =
        ReadPrivateFile(proxy.password_file(), kMaxPasswordBytes);
    if (!text.ok()) return text.status();
    out.password = std::string(absl::StripTrailingAsciiWhitespace(*text));
  } else if (!out.user_name.empty()) {
    return Invalid("proxy.password_file",
                   absl::StrCat("is missing; name the file that holds the "
                                "proxy user's password, or set ",
                                kPasswordVariable));
  }
  if (out.user_name.empty() && !proxy.password_file().empty()) {
    return Invalid("proxy.user_name",
                   "is missing; name the user whose password "
                   "proxy.password_file holds");
  }
  return CheckCredentials("proxy.user_name or its password", out);
}

}  // namespace

Environment SystemEnvironment() {
  return [](const char* name) -> const char* { return std::getenv(name); };
}

absl::StatusOr<ProxySettings> ProxySettings::Load(
    const config::Proxy& proxy, const Environment& environment) {
  ProxySettings settings;
  for (const std::string& text : proxy.no_proxy()) {
    const absl::StatusOr<NoProxyRule> rule = NoProxyRule::Parse(text);
    if (!rule.ok()) return Invalid("proxy.no_proxy:", rule.status().message());
    settings.no_proxy_.push_back(*rule);
  }
  if (proxy.url().empty()) {
    if (!proxy.user_name().empty() || !proxy.password_file().empty()) {
      return Invalid("proxy.url", "is missing; write http://host:port");
    }
    const bool none =
        std::any_of(settings.no_proxy_.begin(), settings.no_proxy_.end(),
                    [](const NoProxyRule& rule) { return rule.everything(); });
    std::string source;
    const char* url =
        none ? nullptr
             : FindVariable(environment, {"https_proxy", "HTTPS_PROXY"},
                            &source);
    if (url == nullptr) return ProxySettings();
    absl::StatusOr<HttpProxy> parsed = ParseUrl(source, url);
    if (!parsed.ok()) return parsed.status();
    settings.proxy_ = *std::move(parsed);
    settings.spare_loopback_ = true;
    settings.source_ = source;
    const char* rules = FindVariable(environment, {"no_proxy", "NO_PROXY"});
    if (settings.no_proxy_.empty() && rules != nullptr) {
      settings.no_proxy_ = ParseNoProxyVariable(rules);
    }
    return settings;
  }
  absl::StatusOr<HttpProxy> parsed = ParseUrl("proxy.url", proxy.url());
  if (!parsed.ok()) return parsed.status();
  const absl::Status credentials = AddCredentials(proxy, environment, *parsed);
  if (!credentials.ok()) return credentials;
  settings.proxy_ = *std::move(parsed);
  settings.source_ = "proxy.url";
  return settings;
}

std::optional<HttpProxy> ProxySettings::ProxyFor(const std::string& host,
                                                 int port) const {
  if (!proxy_.has_value() || (spare_loopback_ && IsThisMachine(host)) ||
      std::any_of(
          no_proxy_.begin(), no_proxy_.end(),
          [&](const NoProxyRule& rule) { return rule.Matches(host, port); })) {
    return std::nullopt;
  }
  return proxy_;
}

std::optional<HttpProxy> ProxySettings::ProxyFor(
    const std::string& address) const {
  const auto parts = SplitHostPort(address);
  if (!parts.ok()) return std::nullopt;
  return ProxyFor(parts->first, parts->second);
}

}  // namespace mc::agent

// Whether an address is reached through the site's HTTP proxy.
#ifndef MC_CLUSTER_AGENT_DOMAIN_PROXY_PROXY_H_
#define MC_CLUSTER_AGENT_DOMAIN_PROXY_PROXY_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster-agent/domain/proxy/no_proxy.h"
#include "common/tls/dial.h"
#include "missioncontrol/config/v1/agent.pb.h"

namespace mc::agent {

// An environment variable's value; null: it is not set.
using Environment = std::function<const char*(const char* name)>;
// The process's own.
Environment SystemEnvironment();

// The configuration's `proxy`; where that has no url, the environment's
// https_proxy (or HTTPS_PROXY), as curl reads it:
// http://user:password@host:port. Its user and password are percent-encoded.
// Exclusions come from proxy.no_proxy, or with the environment's URL and
// without that key, from no_proxy (or NO_PROXY); and this machine itself is
// then never reached through the proxy. `no_proxy: ["*"]` alone in the
// configuration means no proxy at all.
//
// Immutable, thread-safe to read.
class ProxySettings {
 public:
  // No proxy.
  ProxySettings() = default;

  // Every error names the key or the variable, and never a secret: a value of
  // the environment may hold a password and is not shown. INVALID_ARGUMENT, or
  // the error of reading the password's file, which must be owner-only.
  static absl::StatusOr<ProxySettings> Load(
      const missioncontrol::config::v1::Proxy& proxy,
      const Environment& environment);

  // The proxy for this host, a name or an address without brackets; absent:
  // it is reached directly. The host's name is the proxy's to resolve.
  std::optional<HttpProxy> ProxyFor(const std::string& host, int port) const;
  // The same of "host:port".
  std::optional<HttpProxy> ProxyFor(const std::string& address) const;

  // "proxy.url", "https_proxy" or "HTTPS_PROXY"; empty: there is no proxy.
  const std::string& source() const { return source_; }

 private:
  std::optional<HttpProxy> proxy_;
  std::vector<NoProxyRule> no_proxy_;
  bool spare_loopback_ = false;
  std::string source_;
};

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOMAIN_PROXY_PROXY_H_

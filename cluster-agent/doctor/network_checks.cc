#include "cluster-agent/doctor/network_checks.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster-agent/domain/proxy/cause.h"
#include "common/crypto/certificate.h"

namespace mc::agent {
namespace {

constexpr absl::Duration kClockTolerance = absl::Seconds(60);
constexpr absl::Duration kExpiryNotice = absl::Hours(24 * 14);
constexpr const char* kStepNames[] = {"name resolution", "port", "proxy", "TLS",
                                      "HTTP/2"};

std::string Day(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M", time, absl::UTCTimeZone());
}

// What the connection goes to first.
std::string FirstHop(const Probed& probed) {
  const ProbeOptions& options = probed.options;
  return options.proxy.has_value()
             ? absl::StrCat("the proxy ",
                            HostPort(options.proxy->host, options.proxy->port))
             : HostPort(options.host, options.port);
}

bool Reached(const Probed& probed, ProbeStep step) {
  return probed.result.step >= step;
}
bool FailedAt(const Probed& probed, ProbeStep step) {
  return probed.result.step == step && !probed.result.status.ok();
}

CheckResult SkippedAfterFailure(const char* check, const Probed& probed) {
  return Skipped(check, probed.target,
                 absl::StrCat(kStepNames[static_cast<int>(probed.result.step)],
                              " failed"));
}

std::string ErrorText(int error) {
  if (error == ETIMEDOUT) return "no answer";
  return std::generic_category().message(error);
}

std::string Issuer(const Probed& probed) {
  if (probed.result.chain_der.empty()) return "nobody";
  const auto info = ParseCertificateDer(probed.result.chain_der.front());
  return info.ok() ? absl::StrCat("\"", info->issuer_name, "\"")
                   : "an unreadable name";
}

}  // namespace

CheckResult CheckNameResolution(const Probed& probed) {
  constexpr char kCheck[] = "name resolution";
  const std::string& host = probed.options.proxy.has_value()
                                ? probed.options.proxy->host
                                : probed.options.host;
  if (FailedAt(probed, ProbeStep::kResolve)) {
    return Failed(
        kCheck, probed.target, std::string(probed.result.status.message()),
        probed.options.proxy.has_value()
            ? "check the host name in proxy.url, and this machine's "
              "resolv.conf"
            : "check the host name in the configuration, and this machine's "
              "resolv.conf; where names are resolved by a proxy alone, "
              "configure proxy.url");
  }
  return Ok(kCheck, probed.target,
            IsNumericAddress(host)
                ? absl::StrCat(host, " is an address")
                : absl::StrCat(host, " is ",
                               absl::StrJoin(probed.result.addresses, ", ",
                                             [](std::string* out,
                                                const DialedAddress& address) {
                                               *out += address.address;
                                             })));
}

CheckResult CheckRoute(const Probed& probed) {
  constexpr char kCheck[] = "route";
  if (FailedAt(probed, ProbeStep::kResolve)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  for (const DialedAddress& address : probed.result.addresses) {
    if (!address.source.empty()) {
      return Ok(kCheck, probed.target,
                absl::StrCat(address.address, " from ", address.source));
    }
  }
  return Failed(kCheck, probed.target,
                absl::StrCat("this machine has no route to ", FirstHop(probed)),
                "check the network interface, its address and the default "
                "route (ip route)");
}

CheckResult CheckPort(const Probed& probed) {
  constexpr char kCheck[] = "port";
  if (FailedAt(probed, ProbeStep::kResolve)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  if (!FailedAt(probed, ProbeStep::kConnect)) {
    return Ok(
        kCheck, probed.target,
        absl::StrCat(FirstHop(probed), " accepts connections (",
                     absl::FormatDuration(absl::Trunc(
                         probed.result.connect_time, absl::Microseconds(100))),
                     ")"));
  }
  const bool refused = std::any_of(
      probed.result.addresses.begin(), probed.result.addresses.end(),
      [](const DialedAddress& a) { return a.error == ECONNREFUSED; });
  return Failed(
      kCheck, probed.target,
      absl::StrCat(
          FirstHop(probed), ": ",
          absl::StrJoin(probed.result.addresses, ", ",
                        [](std::string* out, const DialedAddress& address) {
                          absl::StrAppend(out, address.address, " ",
                                          ErrorText(address.error));
                        })),
      refused ? "nothing listens there, or a firewall rejects: check the port, "
                "and that it runs"
              : "a firewall drops it, or the address is wrong: open this port "
                "from this machine to there");
}

CheckResult CheckProxy(const Probed& probed) {
  constexpr char kCheck[] = "proxy";
  const std::optional<HttpProxy>& proxy = probed.options.proxy;
  if (!proxy.has_value()) return Ok(kCheck, probed.target, "none is used");
  if (!Reached(probed, ProbeStep::kProxy)) {
    return Failed(kCheck, probed.target,
                  std::string(probed.result.status.message()),
                  "check proxy.url and that the proxy runs, or exclude this "
                  "address with proxy.no_proxy");
  }
  if (FailedAt(probed, ProbeStep::kProxy)) {
    return Failed(kCheck, probed.target,
                  std::string(probed.result.status.message()),
                  ProxyAdvice(*probed.result.proxy, !proxy->user_name.empty()));
  }
  return Ok(
      kCheck, probed.target,
      absl::StrCat(HostPort(proxy->host, proxy->port), " opened the tunnel"));
}

CheckResult CheckTls(const Probed& probed) {
  constexpr char kCheck[] = "TLS";
  if (!Reached(probed, ProbeStep::kHandshake)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  if (FailedAt(probed, ProbeStep::kHandshake)) {
    return Failed(kCheck, probed.target,
                  std::string(probed.result.status.message()),
                  "check that this is the address and port of the service's "
                  "listener, and that nothing on the way changes TLS");
  }
  return Ok(kCheck, probed.target, probed.result.tls_version);
}

CheckResult CheckChain(const Probed& probed) {
  constexpr char kCheck[] = "TLS chain";
  if (!Reached(probed, ProbeStep::kGreeting)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  if (!probed.result.trusted) {
    return Failed(kCheck, probed.target,
                  absl::StrCat("issued by ", Issuer(probed),
                               ", which does not come from ", probed.roots_name,
                               " (", probed.result.trust_problem, ")"),
                  "set service.ca_file to the CA that your vendor gave you; if "
                  "it is that one, see interception");
  }
  return Ok(kCheck, probed.target,
            absl::StrCat("issued by ", Issuer(probed), ", trusted by ",
                         probed.roots_name));
}

CheckResult CheckInterception(const Probed& probed) {
  constexpr char kCheck[] = "interception";
  constexpr char kHolds[] =
      "; an inspecting proxy cannot show the cluster's certificate to the "
      "service's cluster address unless it holds that certificate and its key, "
      "so that address has to be excluded in any other case";
  if (!Reached(probed, ProbeStep::kGreeting)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  if (!probed.result.trusted) {
    return Failed(
        kCheck, probed.target,
        absl::StrCat("TLS is answered with a certificate of ", Issuer(probed),
                     ", not of the expected CA: somebody on the way inspects "
                     "TLS, or the service has another CA"),
        absl::StrCat("have ",
                     HostPort(probed.options.host, probed.options.port),
                     " excluded from TLS inspection, or add the inspecting CA "
                     "to service.ca_file",
                     kHolds));
  }
  if (probed.demands_certificate &&
      !probed.result.asked_for_client_certificate) {
    return Warning(
        kCheck, probed.target,
        absl::StrCat("no client certificate is asked for, but the service "
                     "always asks for one there: TLS ends on the way, with a "
                     "certificate of ",
                     Issuer(probed)),
        absl::StrCat("have ",
                     HostPort(probed.options.host, probed.options.port),
                     " excluded from TLS inspection", kHolds));
  }
  return Ok(kCheck, probed.target, "none is seen");
}

CheckResult CheckHostName(const Probed& probed) {
  constexpr char kCheck[] = "host name";
  if (!Reached(probed, ProbeStep::kGreeting)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  if (probed.result.host_matches) {
    return Ok(kCheck, probed.target,
              absl::StrCat("the certificate is for ", probed.options.host));
  }
  std::string names = "no host name";
  if (!probed.result.chain_der.empty()) {
    const auto info = ParseCertificateDer(probed.result.chain_der.front());
    if (info.ok() && !info->dns_sans.empty()) {
      names = absl::StrJoin(info->dns_sans, ", ");
    }
  }
  return Failed(kCheck, probed.target,
                absl::StrCat("the certificate is for ", names, ", not for ",
                             probed.options.host),
                "configure the name that the certificate has, or ask your "
                "vendor for a certificate with this one");
}

CheckResult CheckDates(const Probed& probed, absl::Time now) {
  constexpr char kCheck[] = "certificate dates";
  if (!Reached(probed, ProbeStep::kGreeting)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  CheckResult worst = Ok(kCheck, probed.target, "");
  absl::Time ends = absl::InfiniteFuture();
  for (const std::string& der : probed.result.chain_der) {
    const auto info = ParseCertificateDer(der);
    if (!info.ok()) continue;
    const std::string name = info->subject_name.empty()
                                 ? "the service's certificate"
                                 : absl::StrCat("\"", info->subject_name, "\"");
    ends = std::min(ends, info->not_after);
    if (now > info->not_after) {
      return Failed(kCheck, probed.target,
                    absl::StrCat(name, " ended at ", Day(info->not_after)),
                    "tell your vendor; if the date is not past, set this "
                    "machine's clock");
    }
    if (now < info->not_before) {
      return Failed(kCheck, probed.target,
                    absl::StrCat(name, " begins at ", Day(info->not_before)),
                    "this machine's clock is probably behind: set it");
    }
    if (info->not_after - now < kExpiryNotice) {
      worst = Warning(kCheck, probed.target,
                      absl::StrCat(name, " ends at ", Day(info->not_after)),
                      "tell your vendor to renew it");
    }
  }
  if (worst.outcome == Outcome::kOk) {
    worst.detail = absl::StrCat("valid until ", Day(ends));
  }
  return worst;
}

CheckResult CheckHttp2(const Probed& probed) {
  constexpr char kCheck[] = "HTTP/2";
  if (!Reached(probed, ProbeStep::kGreeting)) {
    return SkippedAfterFailure(kCheck, probed);
  }
  if (probed.result.alpn != "h2") {
    return Failed(kCheck, probed.target,
                  "h2 is not agreed upon (ALPN): what ends TLS there does not "
                  "speak HTTP/2",
                  "check the address; if a proxy inspects TLS, have it pass "
                  "HTTP/2 or exclude this address");
  }
  if (!probed.result.status.ok() && !probed.result.greeted &&
      probed.result.alert.empty() && !RefusesCertificate(probed)) {
    return Failed(kCheck, probed.target,
                  std::string(probed.result.status.message()),
                  "what ends TLS there agrees to HTTP/2 and does not speak it: "
                  "check the balancer or proxy in between");
  }
  return Ok(kCheck, probed.target, "h2 is agreed upon");
}

CheckResults CheckNetwork(const Probed& probed, absl::Time now) {
  CheckResults results = {CheckNameResolution(probed), CheckRoute(probed),
                          CheckPort(probed), CheckProxy(probed)};
  if (!probed.options.tls) return results;
  results.push_back(CheckTls(probed));
  results.push_back(CheckChain(probed));
  results.push_back(CheckInterception(probed));
  results.push_back(CheckHostName(probed));
  results.push_back(CheckDates(probed, now));
  results.push_back(CheckHttp2(probed));
  return results;
}

bool RefusesCertificate(const Probed& probed) {
  return IsUsable(probed.result) && !probed.result.greeted &&
         probed.result.asked_for_client_certificate &&
         !probed.options.cert_chain_pem.empty();
}

bool IsUsable(const ProbeResult& result) {
  return result.step == ProbeStep::kGreeting && result.trusted &&
         result.dates_valid && result.host_matches && result.alpn == "h2";
}

CheckResult CheckClock(const std::string& source, absl::Time told,
                       absl::Time now) {
  constexpr char kCheck[] = "clock";
  constexpr char kTarget[] = "this machine";
  if (told == absl::InfinitePast()) {
    return Skipped(kCheck, kTarget, "nobody that was reached told its time");
  }
  const absl::Duration off = now - told;
  const std::string detail = absl::StrCat(
      absl::FormatDuration(
          absl::Trunc(absl::AbsDuration(off), absl::Seconds(1))),
      off < absl::ZeroDuration() ? " behind " : " ahead of ", source);
  if (absl::AbsDuration(off) > kClockTolerance) {
    return Warning(kCheck, kTarget, detail,
                   "set this machine's clock, for instance with NTP "
                   "(timedatectl status)");
  }
  return Ok(kCheck, kTarget, detail);
}

}  // namespace mc::agent

// Looks at a TLS service from outside, step by step, and says what it saw: for
// diagnosis, not for exchanges. Verification that fails ends nothing, so that
// its cause can be told. Bounded in time and size; IPv4 and IPv6; no gRPC.
#ifndef COMMON_TLS_PROBE_H_
#define COMMON_TLS_PROBE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/time/clock.h"
#include "common/tls/dial.h"

namespace mc {

struct ProbeOptions {
  // A name or an address, without brackets.
  std::string host;
  int port = 0;
  // What the certificate is checked for, and what the server is told (SNI)
  // where it is a name. Empty: the host.
  std::string server_name;
  // Absent: the connection is direct.
  std::optional<HttpProxy> proxy;
  // False: the probe ends with the connection (and the proxy's tunnel).
  bool tls = true;
  // What the server's certificate must come from; empty: nothing is trusted.
  std::string root_pem;
  // Shown where the server asks for a certificate, if its own is trusted, in
  // date, and of that name; both empty: none.
  std::string cert_chain_pem;
  std::string key_pem;
  // Of everything together.
  absl::Duration timeout = absl::Seconds(10);
};

// In their order; each needs those before it.
enum class ProbeStep { kResolve, kConnect, kProxy, kHandshake, kGreeting };

struct ProbeResult {
  // OK: every step was done. Else one sentence about the step that failed.
  absl::Status status;
  // The last one that was begun.
  ProbeStep step = ProbeStep::kResolve;

  // Of the host; through a proxy those of the proxy, for the host's name is
  // the proxy's to resolve.
  std::vector<DialedAddress> addresses;
  // What the proxy said; absent without one, or before it was reached.
  std::optional<ProxyAnswer> proxy;

  // From the handshake on, also where it fails after this. DER, the server's
  // own certificate first, as the server sent them.
  std::vector<std::string> chain_der;
  // Whether the chain leads to `root_pem`, whatever its dates say, and what
  // OpenSSL says if not.
  bool trusted = false;
  std::string trust_problem;
  // Whether every certificate of the chain is valid at the clock's time.
  bool dates_valid = false;
  bool host_matches = false;
  // For instance TLSv1.3, h2; empty: none was agreed upon.
  std::string tls_version;
  std::string alpn;
  bool asked_for_client_certificate = false;
  // The server's HTTP/2 settings came, for which it is asked only where its
  // certificate is the service's: it speaks the protocol, and took the
  // client's certificate if it asked for one (TLS 1.3 refuses one only after
  // the handshake).
  bool greeted = false;
  // The TLS alert with which the server ended it, in OpenSSL's words; empty:
  // none.
  std::string alert;

  absl::Duration resolve_time;
  absl::Duration connect_time;
  absl::Duration proxy_time;
  absl::Duration handshake_time;
};

// Blocks, `timeout` at most. The clock tells the time for dates and durations.
ProbeResult Probe(const ProbeOptions& options, const Clock& clock);

}  // namespace mc

#endif  // COMMON_TLS_PROBE_H_

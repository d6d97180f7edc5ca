// What a probe of one address means. No network of their own: functions of
// what was seen.
#ifndef MC_CLUSTER_AGENT_DOCTOR_NETWORK_CHECKS_H_
#define MC_CLUSTER_AGENT_DOCTOR_NETWORK_CHECKS_H_

#include <string>

#include "absl/time/time.h"
#include "cluster-agent/doctor/check.h"
#include "common/tls/probe.h"

namespace mc::agent {

struct Probed {
  // For instance "cluster mc.example.com:8443".
  std::string target;
  ProbeOptions options;
  ProbeResult result;
  // Where the trusted CAs come from, for people.
  std::string roots_name;
  // Whether the service demands a client certificate there.
  bool demands_certificate = false;
};

// Each is SKIPPED, naming what failed, where the probe did not come so far.
CheckResult CheckNameResolution(const Probed& probed);
CheckResult CheckRoute(const Probed& probed);
CheckResult CheckPort(const Probed& probed);
CheckResult CheckProxy(const Probed& probed);
CheckResult CheckTls(const Probed& probed);
CheckResult CheckChain(const Probed& probed);
CheckResult CheckInterception(const Probed& probed);
CheckResult CheckHostName(const Probed& probed);
// Of the certificates that the service shows.
CheckResult CheckDates(const Probed& probed, absl::Time now);
CheckResult CheckHttp2(const Probed& probed);

// All of them, in this order; up to CheckProxy where the probe was without
// TLS.
CheckResults CheckNetwork(const Probed& probed, absl::Time now);

// Whether the service was there, asked for the cluster's own certificate, and
// ended the connection when it had seen it.
bool RefusesCertificate(const Probed& probed);

// Whether a call can be tried: TLS stands and would be accepted.
bool IsUsable(const ProbeResult& result);

// `told`: the other side's time, infinite past where it told none; `now`: this
// machine's at that moment.
CheckResult CheckClock(const std::string& source, absl::Time told,
                       absl::Time now);

}  // namespace mc::agent

#endif  // MC_CLUSTER_AGENT_DOCTOR_NETWORK_CHECKS_H_
